"""What is spoken with clients, one protocol per file."""
