"""Adapters to other toolkits."""
