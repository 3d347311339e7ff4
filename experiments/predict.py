"""`python -m experiments.predict`: the command `metaforge predict` under its old name."""

from metaforge.cli.predict import command, main

__all__ = ["command", "main"]

if __name__ == "__main__":
    command()
