"""Every causal-LM type that transformers registers, as a small random model, held to what the model itself returns."""
