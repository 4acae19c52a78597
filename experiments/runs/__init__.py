"""Long runs: finished work is kept, progress is shown, and several processes share the work.

``extracting`` fills a feature store; ``fit_job.py``, ``score_job.py``, ``sample_job.py`` and ``sweep_job.py`` go from
file to file. ``job.py`` says whose folder it is, ``part_file.py`` keeps what is done of an output, ``log.py`` tells how
far a run is, ``loading.py`` loads the model and judge that a command names. It may import ``compare``, ``adapters`` and
the rooms below; ``bench`` and ``cli`` import it.
"""
