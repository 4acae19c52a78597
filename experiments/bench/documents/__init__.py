"""What writes figures of comparisons and benchmarks into the README."""
