from ._frozen import linear_probe as linear_probe
from ._frozen import nearest_neighbour as nearest_neighbour
from ._frozen import prototypes as prototypes
from ._gradient import fine_tune as fine_tune
from ._gradient import unadapted as unadapted
from ._unlabelled import bn_adapt as bn_adapt
from ._unlabelled import tent as tent
from .base import AdaptationRule as AdaptationRule
