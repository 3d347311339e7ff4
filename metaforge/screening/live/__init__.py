"""A video that is still running: frames as they come, the people in them, and what is said of each so far."""
