"""Floor 4: items in, judges compared, reports out; the jobs, tools and commands around them.

Twelve rooms, and no file beside them. From the lowest floor up: ``data``, ``reading`` and ``drawing``; ``stats`` and
``judges``; ``selection``; ``compare`` and ``adapters``; ``runs`` and ``study``; ``bench``; ``cli``. A room imports from
lower rooms only, and from the floors below; its own docstring says how its files work together.
"""
