from .detector import Detector as Detector
from .detector import score as score
from .explaining.explanation import Explanation as Explanation
from .explaining.explanation import explain as explain
from .folder import load_detector as load_detector
from .folder import save_detector as save_detector
