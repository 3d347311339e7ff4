"""Whether a detector that learns from captions does better on what it does not know: joint training and controls."""
