"""How `metaforge screen` behaves with very many files."""
