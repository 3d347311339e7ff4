"""What people know of screened files: labels to measure by, and corrections to adapt with."""
