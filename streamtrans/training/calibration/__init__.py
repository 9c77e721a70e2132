"""What policies learn about a finished model: alignment heads and the regret head."""
