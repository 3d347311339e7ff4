from .launching import launch as launch
from .parsing import flags_of as flags_of
from .starting import program as program
from .starting import python as python
from .starting import start as start
