"""What scores of answers from any source are worth: leaks, confounds, opponents and luck, without a model.

``scores.py`` takes a table of scores from a file or a frame and checks it. ``explanations.py`` asks whether a score
says more than a cheap thing that its labels go with (the question, length, source, a leak); ``checks.py`` looks for
leaks in the table itself, and scores the same rows by such things, each fitted on other questions;
``diagnosis.py`` puts them together with the split of the AUROC into pairs within and between questions, the choice
among candidates, the luck of a pick and the ceiling of noisy labels. It may import the rooms below ``compare``, and
``compare``'s figures and report.
"""
