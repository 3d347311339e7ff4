"""What to do with a trained model where it has not been: interchangeable rules, judged on the same episodes."""

from metaforge.adaptation._gradient import fine_tune as fine_tune
from metaforge.adaptation._gradient import unadapted as unadapted
from metaforge.adaptation.base import AdaptationRule as AdaptationRule
