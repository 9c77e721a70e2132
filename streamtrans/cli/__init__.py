"""The command line: one file a command, thin callers of the library."""
