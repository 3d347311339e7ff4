"""Meta-learning for domain adaptation in JAX/Flax, aimed at face-forgery detection.

A meta-learner is to episodes what an optimizer is to gradients: `MetaLearner(init, update, adapt)`, three pure
functions over pytrees. See `metaforge.types` for the vocabulary and `metaforge.core.inner` for the inner loop.
"""

from metaforge import adaptation as adaptation
from metaforge import backbones as backbones
from metaforge import losses as losses
from metaforge import objectives as objectives
from metaforge import outliers as outliers
from metaforge.citations import citation as citation
from metaforge.core import weighting as weighting
from metaforge.core.inner import AdaptInfo as AdaptInfo
from metaforge.core.inner import adapt as adapt
from metaforge.errors import InputError as InputError
from metaforge.learners import LEARNERS as LEARNERS
from metaforge.learners import MetaInfo as MetaInfo
from metaforge.learners import MetaLearner as MetaLearner
from metaforge.learners import MetaState as MetaState
from metaforge.learners import anil as anil
from metaforge.learners import coral as coral
from metaforge.learners import daml as daml
from metaforge.learners import erm as erm
from metaforge.learners import fomaml as fomaml
from metaforge.learners import group_dro as group_dro
from metaforge.learners import irm as irm
from metaforge.learners import ltw as ltw
from metaforge.learners import maml as maml
from metaforge.learners import maml_plus_plus as maml_plus_plus
from metaforge.learners import meta_sgd as meta_sgd
from metaforge.learners import mldg as mldg
from metaforge.learners import protonet as protonet
from metaforge.learners import r2d2 as r2d2
from metaforge.learners import reptile as reptile
from metaforge.learners import ridge as ridge
from metaforge.types import FAKE as FAKE
from metaforge.types import OUTLIER as OUTLIER
from metaforge.types import REAL as REAL
from metaforge.types import Backbone as Backbone
from metaforge.types import Batch as Batch
from metaforge.types import Episode as Episode
from metaforge.types import Outputs as Outputs

__version__ = "0.1.0"
