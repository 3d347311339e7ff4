"""What each measured feature of a face is worth by itself, on a collection and forgeries left out."""
