"""Judges behind HTTP, with the API of the rerank and score services that tools already use (extra ``serve``)."""

from ....models.extra import require

require("fastapi", "serve")
