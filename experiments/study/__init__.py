"""Does meta-learning beat fine-tuning? Every method on the same episodes."""
