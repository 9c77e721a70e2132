"""Tensors in, tensors out: the streaming model, its cache, its mask, and loading. No strings."""
