"""Planted worlds for ``doctor``: scores whose cause is known, and how often it is named.

``worlds.py`` draws the tables; ``__main__.py`` examines many of each and writes ``worlds.md``.
It is not in the wheel, and nothing imports it but the tests.
"""
