"""FakeRadar's ablation, and what its losses cost."""
