"""How often the flags of a verdict are raised for nothing, and how often missed: faces treated by known amounts."""
