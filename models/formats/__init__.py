"""Model formats other than a plain Hugging Face folder: GGUF files, and LoRA folders that name their base model."""
