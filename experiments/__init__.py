"""Floor 4: data sets in, judges compared, reranking rules, metrics, reports, the command line."""
