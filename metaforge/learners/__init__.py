"""Meta-learners: `MetaLearner(init, update, adapt)`, as `optax.GradientTransformation` is an optimizer."""

from metaforge.learners._anil import anil as anil
from metaforge.learners._coral import coral as coral
from metaforge.learners._erm import erm as erm
from metaforge.learners._group_dro import GroupDROState as GroupDROState
from metaforge.learners._group_dro import group_dro as group_dro
from metaforge.learners._irm import irm as irm
from metaforge.learners._ltw import LTWParams as LTWParams
from metaforge.learners._ltw import ltw as ltw
from metaforge.learners._maml import daml as daml
from metaforge.learners._maml import fomaml as fomaml
from metaforge.learners._maml import maml as maml
from metaforge.learners._maml_plus_plus import MAMLPlusPlusParams as MAMLPlusPlusParams
from metaforge.learners._maml_plus_plus import maml_plus_plus as maml_plus_plus
from metaforge.learners._meta_sgd import MetaSGDParams as MetaSGDParams
from metaforge.learners._meta_sgd import meta_sgd as meta_sgd
from metaforge.learners._mldg import mldg as mldg
from metaforge.learners._prototypes import protonet as protonet
from metaforge.learners._reptile import reptile as reptile
from metaforge.learners._ridge import R2D2Params as R2D2Params
from metaforge.learners._ridge import r2d2 as r2d2
from metaforge.learners._ridge import ridge as ridge
from metaforge.learners.base import MetaInfo as MetaInfo
from metaforge.learners.base import MetaLearner as MetaLearner
from metaforge.learners.base import MetaState as MetaState

LEARNERS = {
    "maml": maml,
    "fomaml": fomaml,
    "daml": daml,
    "erm": erm,
    "anil": anil,
    "meta_sgd": meta_sgd,
    "maml_plus_plus": maml_plus_plus,
    "protonet": protonet,
    "ridge": ridge,
    "r2d2": r2d2,
    "reptile": reptile,
    "mldg": mldg,
    "ltw": ltw,
    "group_dro": group_dro,
    "coral": coral,
    "irm": irm,
}
"""The learners by name, as the commands know them."""

TAKE_A_MODEL = ("anil", "protonet", "ridge", "r2d2", "ltw", "coral", "irm")
"""Those that look inside a model: their first two arguments are a backbone and an objective, not a loss function."""
