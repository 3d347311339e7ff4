"""What is minimised: objectives of a model's outputs, and the step from an objective to a loss function."""

from metaforge.objectives._basic import cross_entropy as cross_entropy
from metaforge.objectives._basic import loss_fn as loss_fn
from metaforge.objectives._basic import squared_error as squared_error
from metaforge.objectives._composed import Weight as Weight
from metaforge.objectives._composed import WeightedSum as WeightedSum
from metaforge.objectives._composed import weighted_sum as weighted_sum
from metaforge.objectives._features import supervised_contrastive as supervised_contrastive
from metaforge.objectives._outliers import energy_bounded as energy_bounded
from metaforge.objectives._outliers import fakeradar as fakeradar
from metaforge.objectives._outliers import outlier_contrastive as outlier_contrastive
from metaforge.objectives._outliers import outlier_exposure as outlier_exposure
from metaforge.objectives._outliers import tri_cross_entropy as tri_cross_entropy
