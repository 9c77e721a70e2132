"""Instances, quality and latency; knows nothing of models."""
