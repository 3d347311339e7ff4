"""Augmentation and dynamic batches in training from nothing, on folds that leave out a collection and methods."""
