"""Protocols for clients, one per file."""
