"""Runs that last a night: what is done is kept, what goes on is told, and more than one process shares the work."""
