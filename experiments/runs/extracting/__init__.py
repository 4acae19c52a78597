"""The extraction job: ``extract_job.py`` fills a store from ``source.py``, and resumes where it was killed.

``plan.py`` and ``disk.py`` say what it will cost; ``workers.py``, ``ranks.py`` and ``cluster.py`` share it among
processes and machines; ``meter.py``, ``interrupt.py`` and ``summary.py`` are its inner loop.
"""
