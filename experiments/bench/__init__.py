"""What measures the project itself: in a checkout only, the wheel has none of it. ``innerjudge bench`` runs ``passes``.

``passes`` times one forward pass with each readout beside the bare pass and other libraries; ``coverage`` holds every
model type of transformers to its oracle; ``intervals`` simulates how often intervals hold the truth; ``large_runs``,
``study`` and ``service`` measure memory, overhead and load; ``real`` holds a real model to naive definitions and
draws the samples of public data; ``documents`` writes tables into the README. Each writes its document beside its
code. Nothing outside ``cli`` imports from here.
"""
