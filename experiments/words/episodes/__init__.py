"""A meta-learner whose inner loop sees captions of the support set, against the same without."""
