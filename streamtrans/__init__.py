"""Simultaneous translation that anyone can run."""
