"""`python -m experiments.adapt`: the command `metaforge adapt` under its old name."""

from metaforge.cli.adapt import command, main

__all__ = ["command", "main"]

if __name__ == "__main__":
    command()
