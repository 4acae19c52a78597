"""Hidden states that other tools wrote, held against the model's own; not in the wheel.

``formats.py`` reads their files by the name of the format, ``given.py`` makes features of them, and ``verify.py`` says
of each row what it is: same, shifted by one, normed where raw was said, permuted, truncated, of another dtype or model.
"""
