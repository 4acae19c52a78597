"""Asking a model for verdicts in many ways, so that text judging is a fair opponent; each gives rows of the table."""
