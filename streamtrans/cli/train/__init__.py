"""`streamtrans train`."""
