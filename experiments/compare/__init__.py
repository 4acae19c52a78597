"""Judges compared on the same items: from data to verdicts to figures to the report. A study adds to it.

``compare.py`` is the call from Python, ``settings.py`` what it can be told. ``run.py`` runs the rest: ``items.py`` has
the items of a data set and splits them; ``evaluation.py`` and ``judging.py`` read them once, fit each judge on one part
and ask it about the others, by prompts with a cue or without one (``turns.py``), and take rows of
other judges. ``steps.py`` keeps all of it on disk, as long as it counts, ``results.py`` what is not a verdict.
``trace_blind.py`` scores answers by the others to their question. ``lens.py`` sees the rows and takes differences
between judges, with the metrics of ``metrics.py``; ``sections`` make figures of them (``figures.py``, ``findings.py``),
and ``report`` reads the responses that it shows, and writes folder, page and plots. ``by_block.py``
makes curves and takes heads out, ``sweep.py`` fits every probe at every layer. It may import ``selection`` and the
rooms below; ``runs``, ``study``, ``bench`` and ``cli`` import it.
"""
