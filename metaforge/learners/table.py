"""The learners by name, as commands and saved runs know them."""

from metaforge.learners._anil import anil
from metaforge.learners._coral import coral
from metaforge.learners._erm import erm
from metaforge.learners._group_dro import group_dro
from metaforge.learners._imaml import imaml
from metaforge.learners._irm import irm
from metaforge.learners._ltw import ltw
from metaforge.learners._maml import daml, fomaml, maml
from metaforge.learners._maml_plus_plus import maml_plus_plus
from metaforge.learners._meta_sgd import meta_sgd
from metaforge.learners._mldg import mldg
from metaforge.learners._prototypes import protonet
from metaforge.learners._reptile import reptile
from metaforge.learners._ridge import r2d2, ridge
from metaforge.learners.base import Entry

LEARNERS: dict[str, Entry] = {
    "maml": Entry(maml, ("finn2017maml",)),
    "fomaml": Entry(fomaml, ("finn2017maml",)),
    "daml": Entry(daml, ("jin_daml", "finn2017maml")),
    "imaml": Entry(imaml, ("rajeswaran2019imaml",), adapts_itself=True),
    "erm": Entry(erm, ("gulrajani2021domainbed",)),
    "anil": Entry(anil, ("raghu2020anil",), adapts="^head/", own_head=True),
    "meta_sgd": Entry(meta_sgd, ("li2017metasgd",), adapts_itself=True),
    "maml_plus_plus": Entry(maml_plus_plus, ("antoniou2019mamlpp",), adapts_itself=True),
    "protonet": Entry(protonet, ("snell2017prototypical",), adapts_itself=True, own_head=True, linear_head=True),
    "ridge": Entry(ridge, ("bertinetto2019r2d2",), adapts_itself=True, own_head=True, linear_head=True),
    "r2d2": Entry(r2d2, ("bertinetto2019r2d2",), adapts_itself=True, own_head=True, linear_head=True),
    "reptile": Entry(reptile, ("nichol2018reptile",), draws=True),
    "mldg": Entry(mldg, ("li2018mldg",), least_tasks=2),
    "ltw": Entry(ltw, ("sun2021ltw",), linear_head=True, least_tasks=2),
    "group_dro": Entry(group_dro, ("sagawa2020dro",)),
    "coral": Entry(coral, ("sun2016coral",)),
    "irm": Entry(irm, ("arjovsky2019irm",)),
}
"""The learners by name, as the commands know them. A new one is a line here."""
