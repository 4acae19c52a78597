"""How long the tool takes to begin: imports, help, and loading a model, beside what transformers takes.

``measure.py`` starts every one of them as a process of its own, in turn, and writes ``start.json`` and ``start.md``.
"""
