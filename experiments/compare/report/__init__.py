"""A report as files: ``folder.py`` writes it, ``page.py`` fills the templates, ``draw.py`` and others draw plots."""
