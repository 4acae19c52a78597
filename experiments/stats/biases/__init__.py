"""What else influences a verdict: position, length, format, scale use, inconsistency. Arrays in, numbers out."""
