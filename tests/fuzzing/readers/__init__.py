"""Every public reader with good input to begin with, by concept; :data:`GROUPS` has them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness import Reader

from .items import item_readers
from .judges import judge_readers
from .models import model_readers
from .public_formats import loader_readers, log_readers
from .service import service_readers
from .settings import settings_readers
from .stores import store_readers
from .tables import table_readers
from .verdicts import verdict_readers

#: What makes the readers of one concept; each is given a folder of its own.
GROUPS: tuple[Callable[[Path], Iterator[tuple[str, Reader]]], ...] = (
    *(item_readers, table_readers, loader_readers, log_readers, verdict_readers, settings_readers, judge_readers),
    *(store_readers, model_readers, service_readers),
)
