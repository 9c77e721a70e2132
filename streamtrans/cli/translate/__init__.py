"""`streamtrans translate`."""
