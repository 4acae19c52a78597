"""A report on paper: ``folder.py`` writes it, ``page.py`` fills the templates, ``draw.py`` and others draw plots."""
