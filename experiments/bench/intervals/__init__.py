"""How often the intervals cover the truth: simulated studies whose truth is known."""
