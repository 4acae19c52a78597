"""Long runs: finished work is kept, progress is shown, and several processes share the work."""
