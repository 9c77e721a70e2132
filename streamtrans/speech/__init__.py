"""From speech to words that stand: hypotheses of a recogniser, agreement among them, sound, and a recogniser."""
