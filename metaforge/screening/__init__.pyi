from .detector import Detector as Detector
from .detector import load_detector as load_detector
from .detector import save_detector as save_detector
from .detector import score as score
