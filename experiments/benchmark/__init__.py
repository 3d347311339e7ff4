"""What an outer step costs, beside PyTorch; and what a million images cost."""
