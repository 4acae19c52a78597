"""Judges compared on the same items: from judged items to figures to the report. The one pipeline.

``compare.py`` is the call; ``judging.py`` reads the items once, fits each judge on one part and asks it about the rest;
``evaluate.py`` turns what was said into figures with the metrics of ``metrics_by_kind.py``; ``results.py`` holds them;
``report`` writes them. ``by_block.py`` and ``candidate_curves.py`` make curves, ``sweep.py`` fits every probe at every
layer, ``causal.py`` takes heads out. It may import ``selection`` and the rooms below; ``runs``, ``study``, ``bench``
and ``cli`` import it.
"""
