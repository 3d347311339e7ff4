"""Losses at the level of `optax.losses`: arrays in, one value per example out. No reduction, no weights, no state.

All compute in float32 at least, whatever the dtype of the inputs: half precision goes up, float64 stays. `where=` marks
the examples that exist; the others get a value of 0 and a gradient of 0, even where their rows hold NaN or infinity.
"""

from metaforge.losses._contrastive import outlier_contrastive as outlier_contrastive
from metaforge.losses._contrastive import supervised_contrastive as supervised_contrastive
from metaforge.losses._cross_entropy import outlier_conditioned_cross_entropy as outlier_conditioned_cross_entropy
from metaforge.losses._cross_entropy import outlier_exposure as outlier_exposure
from metaforge.losses._divergence import Direction as Direction
from metaforge.losses._divergence import kl_divergence as kl_divergence
from metaforge.losses._energy import energy as energy
from metaforge.losses._energy import energy_bounded as energy_bounded
