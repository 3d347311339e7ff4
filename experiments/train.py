"""`python -m experiments.train`: the command `metaforge train` under its old name."""

from metaforge.cli.train import command, main

__all__ = ["command", "main"]

if __name__ == "__main__":
    command()
