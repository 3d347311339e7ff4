"""What to do with a trained model where it has not been: interchangeable rules, judged on the same episodes."""

from metaforge.adaptation._frozen import linear_probe as linear_probe
from metaforge.adaptation._frozen import nearest_neighbour as nearest_neighbour
from metaforge.adaptation._frozen import prototypes as prototypes
from metaforge.adaptation._gradient import fine_tune as fine_tune
from metaforge.adaptation._gradient import unadapted as unadapted
from metaforge.adaptation._unlabelled import bn_adapt as bn_adapt
from metaforge.adaptation._unlabelled import tent as tent
from metaforge.adaptation.base import AdaptationRule as AdaptationRule
