"""FakeRadar in the paper's own setting: ST-Adapters in a frozen CLIP, trained from end to end on clips of films."""
