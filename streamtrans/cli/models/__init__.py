"""`streamtrans models` and the commands under it."""
