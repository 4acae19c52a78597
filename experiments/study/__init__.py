"""A study is a file: a YAML that says what is compared and audited, run into one folder with a report.

``spec.py`` is the file, checked field by field; ``run.py`` runs it: the comparison of ``compare`` on three sides of the
questions, and more sections. ``parts`` has those that only look at the table of verdicts (agreement, calibration,
biases, panels, labels) or at the features (transfer, the luck of a pick). ``audits.py`` asks the model again, in the
ways of ``asking``. ``diff.py`` compares two studies. It may import ``compare`` and the rooms
below; ``bench`` and ``cli`` import it.
"""
