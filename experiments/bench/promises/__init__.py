"""Promises tried out: many made-up calibrations, and how often the threshold does not keep what it promised.

``worlds.py`` draws scores whose risk at every threshold is known; ``__main__.py`` calibrates on many draws and writes
``promises.md``; ``exits.py`` leaves reasoning early by a promise, and writes ``exits.md``. None of it is in the wheel,
and nothing imports it but the tests.
"""
