"""The measurements of `streamtrans bench`: how fast it is, and against whom. Only the command line imports it."""
