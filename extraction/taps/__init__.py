"""Taps: hooks that keep a few rows of a running pass, and make the model compute nothing more for them.

``residual.py`` keeps rows of the residual stream in every block, and reduces ranges of it to one state each.
``attention.py`` takes query-key products and single rows of attention weights, with ``block_attention.py`` to follow
each attention call. Only ``one_pass.py`` installs taps.
"""
