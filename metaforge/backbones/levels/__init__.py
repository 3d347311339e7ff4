r"""Features of several depths: what chosen blocks of a pretrained network hand on, as means and deviations.

For what a network never learned, the middle of it often says more than its last layer, and how far its maps spread more
than their means. One vector an image, standardised by statistics that are parameters with names; a head on top.
"""

from metaforge.backbones.levels._backbone import levels as levels
from metaforge.backbones.levels._clip import clip as clip
from metaforge.backbones.levels._efficientnet import B0_BLOCKS as B0_BLOCKS
from metaforge.backbones.levels._efficientnet import B4_BLOCKS as B4_BLOCKS
from metaforge.backbones.levels._efficientnet import LITE0_BLOCKS as LITE0_BLOCKS
from metaforge.backbones.levels._efficientnet import LITE1_BLOCKS as LITE1_BLOCKS
from metaforge.backbones.levels._efficientnet import LITE2_BLOCKS as LITE2_BLOCKS
from metaforge.backbones.levels._efficientnet import b0 as b0
from metaforge.backbones.levels._efficientnet import b4 as b4
from metaforge.backbones.levels._efficientnet import lite0 as lite0
from metaforge.backbones.levels._efficientnet import lite1 as lite1
from metaforge.backbones.levels._efficientnet import lite2 as lite2
from metaforge.backbones.levels._efficientnet import of_plan as of_plan
from metaforge.backbones.levels._made import Levels as Levels
from metaforge.backbones.levels._made import beside as beside
from metaforge.backbones.levels._made import checked as checked
from metaforge.backbones.levels._made import mean_and_deviation as mean_and_deviation
from metaforge.backbones.levels._statistics import STANDARDISE as STANDARDISE
from metaforge.backbones.levels._statistics import standardised as standardised
from metaforge.backbones.levels._statistics import with_statistics as with_statistics
from metaforge.backbones.levels._statistics import without_statistics as without_statistics
