"""Training and measuring the built-in model. Using the model needs nothing from here; the wheel leaves it out.

``train.py`` trains ``architecture.py`` (``tokenizer.py``, ``batches.py``, ``pointing.py``) on the ``mixtures.py`` of
``corpus.py`` (``simulated.py``). ``measure.py`` and its parts measure the figures of the model card, which ``card.py``
writes.
"""
