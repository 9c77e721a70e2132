"""Strings in, strings out: words, sentences, tokenizers. No mlx."""
