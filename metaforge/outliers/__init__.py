"""Outliers that no image has: where the features of real and forged faces lie, and what lies just beyond.

A synthesizer is to features what an optimizer is to gradients: `OutlierSynthesizer(init, update, sample)`. Its state
has a fixed shape, so that nothing compiles again when the number of clusters changes, and a run can checkpoint it.
"""

from metaforge.outliers._covariances import Covariance as Covariance
from metaforge.outliers._fakeradar import Mode as Mode
from metaforge.outliers._fakeradar import fakeradar as fakeradar
from metaforge.outliers._gaussian_outliers import subcluster_outliers as subcluster_outliers
from metaforge.outliers._neighbours import neighbour_outliers as neighbour_outliers
from metaforge.outliers._subclusters import Subclusters as Subclusters
from metaforge.outliers.base import OutlierInfo as OutlierInfo
from metaforge.outliers.base import Outliers as Outliers
from metaforge.outliers.base import OutlierState as OutlierState
from metaforge.outliers.base import OutlierSynthesizer as OutlierSynthesizer
from metaforge.outliers.base import Probe as Probe
from metaforge.outliers.base import assign as assign
from metaforge.outliers.base import real_distance as real_distance
