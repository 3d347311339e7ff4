"""`python -m metaforge.cli COMMAND`, where the console script is not on the path."""

from metaforge.cli.main import main

main()
