"""Backups of a service: what is in one, how it is written while people write, and how it becomes a service again."""
