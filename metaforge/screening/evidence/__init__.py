"""Measured features of a face, each with a calibrated score and its own worth on collections left out."""
