"""A detector in use: scores for images, and its folder on disk."""

from metaforge.screening.detector import Detector as Detector
from metaforge.screening.detector import score as score
from metaforge.screening.folder import load_detector as load_detector
from metaforge.screening.folder import save_detector as save_detector
