"""The EfficientNet family: Lite0, Lite1 and Lite2 with their weights of ImageNet, and B0 and B4 with the user's."""

from metaforge.backbones.efficientnet._depthwise import DepthwiseForm as DepthwiseForm
from metaforge.backbones.efficientnet._larger import efficientnet_lite1 as efficientnet_lite1
from metaforge.backbones.efficientnet._larger import efficientnet_lite2 as efficientnet_lite2
from metaforge.backbones.efficientnet._layers import EfficientNetNormalisation as EfficientNetNormalisation
from metaforge.backbones.efficientnet._models import HeadInit as HeadInit
from metaforge.backbones.efficientnet._models import efficientnet_lite0 as efficientnet_lite0
from metaforge.backbones.efficientnet._plan import Convention as Convention
from metaforge.backbones.efficientnet._squeezed import efficientnet_b0 as efficientnet_b0
from metaforge.backbones.efficientnet._squeezed import efficientnet_b4 as efficientnet_b4
