"""A folder of pairs to a file of records: which pairs there are, what is found in each, and going on after a kill."""
