"""Cost of the feature store and its writers: ``python -m innerjudge.experiments.benchmarks.large_runs``."""
