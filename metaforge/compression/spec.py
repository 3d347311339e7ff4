"""How a network is taught by others, as plain settings."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class TeachingSpec:
    """Steps, and what they learn from."""

    steps: int = setting(500, "Steps of Adam; 0 for none.", most=10_000_000)
    batch: int = setting(32, "Images a step.", least=2, most=100_000)
    rate: float = setting(1e-3, "Its highest rate: a tenth of the steps warm up, then it falls as a cosine.", above=0)
    temperature: float = setting(2.0, "What both logits are divided by.", above=0)
    labels: float = setting(0.0, "Share of the loss that is of labels, where there are any.", least=0, most=1)
    logits: float = setting(1.0, "Weight of the teacher's logits in the rest.", least=0)
    features: float = setting(0.0, "Weight of the teacher's features in the rest.", least=0)
    checkpoint_every: int = setting(100, "Steps between checkpoints.", least=1, most=1_000_000)
    seed: int = setting(0, "Of parameters and batches.", most=2**32 - 1)
