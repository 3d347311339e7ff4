"""Losses for hard examples, and a cosine with warm-up, against plain cross-entropy on the folds of strangers."""
