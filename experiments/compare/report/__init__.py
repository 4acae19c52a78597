"""A comparison on paper: ``page.py`` fills the templates, ``files.py`` writes the folder, the others draw its parts."""
