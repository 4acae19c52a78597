"""Ways of running texts, one a file: the bare pass, this package, and what others do to read the same."""
