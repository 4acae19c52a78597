"""Judges compared on the same items: from data to verdicts to figures to the report. A study adds to it.

``compare.py`` is the call from Python, ``settings.py`` what it can be told. ``run.py`` leads through the rest:
``items.py`` has the items of a data set and splits them, ``item_features.py`` reads them once;
``evaluation.py`` and ``judging.py`` fit each judge on one part and ask it about the others, by prompts with a cue or
without one (``turns.py``, ``text_side.py``). ``steps.py`` keeps all of it
on disk, ``results.py`` what is no verdict; ``made_with.py`` says whether it still counts. ``trace_blind.py`` scores
answers by the others to their question. ``lens.py`` sees the rows, with the metrics of ``metrics.py`` and the
``differences.py`` to another judge; ``sections`` make figures of them (``figures.py``, ``findings.py``, ``words.py``),
and ``report`` writes folder, page and plots. ``by_block.py`` makes curves, ``imported.py`` takes rows of other judges,
``sweep.py`` fits every probe at every layer, ``causal.py`` takes heads out.
It may import ``selection`` and the rooms below; ``runs``, ``study``, ``bench`` and ``cli`` import it.
"""
