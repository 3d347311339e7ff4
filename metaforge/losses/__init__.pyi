from ._contrastive import outlier_contrastive as outlier_contrastive
from ._contrastive import supervised_contrastive as supervised_contrastive
from ._cross_entropy import outlier_conditioned_cross_entropy as outlier_conditioned_cross_entropy
from ._cross_entropy import outlier_exposure as outlier_exposure
from ._divergence import Direction as Direction
from ._divergence import kl_divergence as kl_divergence
from ._energy import energy as energy
from ._energy import energy_bounded as energy_bounded
