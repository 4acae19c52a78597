"""From items to passes to features: ``read.py`` decides what an item is asked and reads it in one pass.

``passes.py`` says how the model is run, ``verdict_pass.py`` asks for written verdicts in the same pass and
samples answers, ``progress.py`` shows how far it is. Imports ``extraction`` and below, and ``data``.
"""
