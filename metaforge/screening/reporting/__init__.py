"""A report of one picture or video: a page that needs no other file, for eyes and for ears, and its record."""
