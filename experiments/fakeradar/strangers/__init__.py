"""FakeRadar's ablation on features of a frozen network, judged on a collection and methods that it does not know."""
