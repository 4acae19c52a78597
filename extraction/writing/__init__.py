"""Writing: text that the model generates, and what is read from the model meanwhile.

``generate.py`` writes text only; ``write_and_read.py`` writes answers and keeps the states that judges read, or reads
prompts and goes on writing from the same pass. Below them, ``decoding.py`` drives transformers' ``generate`` for one
batch, ``prefix_cache.py`` shares common beginnings of prompts, ``progress.py``, ``ranges.py`` and ``watch.py`` keep
what each step reads and make features of it, ``drafts.py`` keeps unfinished texts on disk, ``confidence.py`` says which
texts to stop, and ``answers.py`` holds the result. It may import the rest of ``extraction`` and ``models``.
"""
