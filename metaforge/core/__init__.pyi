from . import averaging as averaging
from . import devices as devices
from . import execution as execution
from . import inner as inner
from . import mixed as mixed
from . import param_paths as param_paths
from . import tuning as tuning
from . import weighting as weighting
