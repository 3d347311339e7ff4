"""Screening of many files: what there is to judge, a file of results that grows, and what is said of all of them."""
