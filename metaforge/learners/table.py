"""The learners by name, as commands and saved runs know them."""

from metaforge.learners._anil import anil
from metaforge.learners._coral import coral
from metaforge.learners._erm import erm
from metaforge.learners._group_dro import group_dro
from metaforge.learners._irm import irm
from metaforge.learners._ltw import ltw
from metaforge.learners._maml import daml, fomaml, maml
from metaforge.learners._maml_plus_plus import maml_plus_plus
from metaforge.learners._meta_sgd import meta_sgd
from metaforge.learners._mldg import mldg
from metaforge.learners._prototypes import protonet
from metaforge.learners._reptile import reptile
from metaforge.learners._ridge import r2d2, ridge

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
