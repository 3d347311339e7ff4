"""What the model looks like: backbones as pairs of pure functions. The only importer of flax."""

from metaforge.backbones import choice as choice
from metaforge.backbones import clip_model as clip_model
from metaforge.backbones import cut as cut
from metaforge.backbones import features as features
from metaforge.backbones._conv4 import conv4 as conv4
from metaforge.backbones._flax import from_flax as from_flax
from metaforge.backbones._head import Head as Head
from metaforge.backbones._mlp import mlp as mlp
from metaforge.backbones._normalisation import Normalisation as Normalisation
from metaforge.backbones.clip_model import clip as clip
from metaforge.backbones.efficientnet import EfficientNetNormalisation as EfficientNetNormalisation
from metaforge.backbones.efficientnet import efficientnet_b0 as efficientnet_b0
from metaforge.backbones.efficientnet import efficientnet_lite0 as efficientnet_lite0
from metaforge.core import param_paths as param_paths
from metaforge.types import Convolution as Convolution
