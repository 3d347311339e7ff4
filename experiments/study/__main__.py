"""`python -m experiments.study`."""

from experiments.study.main import main
from metaforge.commands import start

if __name__ == "__main__":
    start(main, heavy=True)
