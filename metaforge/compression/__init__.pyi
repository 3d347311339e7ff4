from .costs import Costs as Costs
from .costs import costs as costs
from .pruning import prune as prune
