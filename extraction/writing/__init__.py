"""Writing: text that the model generates, and what is read from the model meanwhile.

``generate.py`` writes text only; ``write_and_read.py`` writes answers and keeps the states that judges read, or reads
prompts and goes on writing from the same pass. ``limits.py`` says how they write. Under them, ``decoding.py`` drives
transformers' ``generate`` for one batch, ``prefix_cache.py`` shares what prompts begin with, ``progress.py`` and
``watch.py`` keep what is read at each step and make features of it, ``drafts.py`` keeps texts on disk for a run that
is killed, and ``answers.py`` holds the result. It may import the rest of ``extraction`` and ``models``.
"""
