"""The sections of a study's report, one a file: a lens in, a section out."""
