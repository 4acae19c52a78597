"""Training and measuring the built-in model. Using it needs nothing from here, and the wheel leaves it out.

``train.py`` runs ``mixtures.py`` of ``corpus.py`` (``simulated.py``) through ``architecture.py`` (``tokenizer.py``,
``batches.py``, ``pointing.py``). ``measure.py`` and its three parts take the figures of the model card, which
``card.py`` writes.
"""
