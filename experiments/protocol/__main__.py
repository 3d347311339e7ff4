"""`python -m experiments.protocol`."""

from experiments.protocol.main import main
from metaforge.commands import start

if __name__ == "__main__":
    start(main, heavy=True)
