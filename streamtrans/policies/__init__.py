"""When to READ and when to WRITE; pure Python, no mlx, no input or output."""
