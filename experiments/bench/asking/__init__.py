"""What ``compare`` costs on real models: peak memory, passes and tokens an item, seconds; before a change and after.

``counted.py`` runs one command and counts; ``__main__.py`` runs it on models and data and writes the document.
"""
