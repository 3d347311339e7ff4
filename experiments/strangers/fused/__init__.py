"""Fusion of depths over a frozen network against its absence, on a stranger's photographs."""
