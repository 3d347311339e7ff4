"""A linear discriminant that knows its source, and becomes a target's by a few images, in closed form."""

from metaforge.adaptation.gaussian._folds import Fold as Fold
from metaforge.adaptation.gaussian._folds import folds as folds
from metaforge.adaptation.gaussian._posterior import NO_PAIR as NO_PAIR
from metaforge.adaptation.gaussian._posterior import posterior as posterior
from metaforge.adaptation.gaussian._prior import Head as Head
from metaforge.adaptation.gaussian._prior import Prior as Prior
from metaforge.adaptation.gaussian._prior import distances as distances
from metaforge.adaptation.gaussian._prior import from_arrays as from_arrays
from metaforge.adaptation.gaussian._prior import head_of as head_of
from metaforge.adaptation.gaussian._prior import to_arrays as to_arrays
from metaforge.adaptation.gaussian._prior import uninformed as uninformed
from metaforge.adaptation.gaussian._source import Source as Source
from metaforge.adaptation.gaussian._source import fit as fit
from metaforge.adaptation.gaussian._whitened import whitened_head as whitened_head
