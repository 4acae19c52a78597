"""Taps: hooks that keep a few rows of a running pass and compute nothing for them that the model would not.

``residual.py`` keeps rows of the residual stream of every block, and makes ranges of it one state each.
``attention.py`` is the one tap on attention: it takes query-key products and single rows of weights, with
``block_attention.py`` to hear each attention call. ``..one_pass`` installs them; nothing else should.
"""
