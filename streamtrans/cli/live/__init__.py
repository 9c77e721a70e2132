"""`streamtrans live`."""
