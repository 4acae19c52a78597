"""A real model on real data: its file fetched, samples drawn, and what ``compare`` finds quoted in the README."""
