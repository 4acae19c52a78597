"""A real vLLM on this machine, with judges inside it: scores beside those of innerjudge's own pass, and the cost."""
