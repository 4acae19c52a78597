"""The sections that every comparison has, one a file: a lens in, a section out. ``study/parts`` has more of them."""
