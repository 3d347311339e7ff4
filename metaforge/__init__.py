"""Meta-learning for domain adaptation in JAX, aimed at face-forgery detection."""
