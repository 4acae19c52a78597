"""The extraction job: ``extract_job.py`` fills a store, until it is told to stop, and resumes where it was killed.

``summary.py`` says what it will cost; ``ranks.py`` and ``cluster.py`` share it among processes and machines.
"""
