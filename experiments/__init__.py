"""One question per file: a typed `Config`, `run(config, ...)`, `main(argv)`."""
