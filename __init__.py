"""innerjudge: judge language-model output from the model's inside."""
