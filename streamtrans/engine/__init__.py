"""The only place where model, text and policy meet."""
