"""Cost of the feature store and its writers: ``python -m innerjudge.experiments.bench.large_runs``."""
