"""What the evidence of regions in a single image is worth."""
