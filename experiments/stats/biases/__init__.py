"""What else moves a verdict: position, length, format, scale use, inconsistency. Arrays in, numbers out."""
