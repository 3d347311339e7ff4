"""A detector in use: scores for images, and its folder on disk."""

from metaforge.screening.detector import Detector as Detector
from metaforge.screening.detector import load_detector as load_detector
from metaforge.screening.detector import save_detector as save_detector
from metaforge.screening.detector import score as score
