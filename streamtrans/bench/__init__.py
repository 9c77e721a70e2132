"""How fast it is, and against whom: what `streamtrans bench` measures. Only the command line imports it."""
