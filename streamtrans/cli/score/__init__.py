"""`streamtrans score`."""
