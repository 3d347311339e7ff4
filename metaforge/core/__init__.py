"""The meta-gradient and how it runs: inner loop, weighting, execution on devices, parameters by path."""
