"""Judges behind HTTP, in the words of the rerank and score services that tools already speak (extra ``serve``)."""
