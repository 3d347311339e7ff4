"""One figure per file: reads run directories, draws, saves; trains nothing."""
