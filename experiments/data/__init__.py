"""Items, where they come from, and what was said of them.

``kinds.py`` and ``records.py`` turn rows into items and back, and say whether texts changed; ``jsonl.py`` reads item
files and writes outputs with their checksums, ``item_lines.py`` those that are too large to hold, ``loaders`` public
formats; ``samples`` holds small ones, in the package; ``datasets.py`` is the one door to all of them (``load_data``).
``splits.py`` splits by question, ``labels.py`` reads labels, ``variants.py`` permutes and swaps, ``verdict_table.py``
holds verdicts, ``verdict_files.py`` reads and writes them. Imports ``models`` and ``probes`` only.
"""
