"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data, models and tokenizers: ``$INNERJUDGE_SHARED``, else ``shared`` beside the repository."""
    given = os.environ.get("INNERJUDGE_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} with real data: set INNERJUDGE_SHARED to one")
    return folder
