"""Data, collator, loss and trainers."""
