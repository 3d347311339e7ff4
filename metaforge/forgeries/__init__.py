"""Forgery domains synthesised from real faces, with exact masks, and the audit that nothing else gives them away."""

from metaforge.forgeries.acquisition import ACQUISITIONS as ACQUISITIONS
from metaforge.forgeries.acquisition import acquire as acquire
from metaforge.forgeries.audit import periphery_auc as periphery_auc
from metaforge.forgeries.base import Face as Face
from metaforge.forgeries.base import Forged as Forged
from metaforge.forgeries.base import Forgery as Forgery
from metaforge.forgeries.synthesis import FORGERIES as FORGERIES
from metaforge.forgeries.synthesis import Pair as Pair
from metaforge.forgeries.synthesis import augment as augment
from metaforge.forgeries.synthesis import forge_pairs as forge_pairs
from metaforge.forgeries.synthesis import make as make
from metaforge.forgeries.synthesis import synthesise as synthesise
