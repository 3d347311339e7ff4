from .captioned import Captioned as Captioned
from .captioned import captioned as captioned
from .choice import FORMATS as FORMATS
from .choice import Format as Format
from .choice import read_captions as read_captions
