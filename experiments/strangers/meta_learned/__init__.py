"""Meta-learners over frozen levels, on the folds of a finished study of strangers."""
