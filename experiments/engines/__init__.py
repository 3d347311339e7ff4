"""What runs a detector fastest on this machine, and what smaller numbers cost."""
