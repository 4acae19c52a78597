"""The built-in reference model: its three jobs in text, its training, and its weights."""

from __future__ import annotations

from pathlib import Path

#: Folder of the committed weights, in ordinary Hugging Face form.
WEIGHTS = Path(__file__).parent / "weights"
