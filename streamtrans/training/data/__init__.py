"""From corpora to batches: sources of pairs, tokens, read schedules."""
