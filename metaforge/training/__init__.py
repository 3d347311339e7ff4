"""From settings to a trained run: images, model, learner, the loop, and what is held before anything is written."""
