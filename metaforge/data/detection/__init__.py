"""Where the faces are: a box and five points each, by MTCNN in JAX (the extra `faces`, for its weights).

Why MTCNN: its three networks, 0.5 million weights in 2 MB, come inside an installed package (`mtcnn`, MIT licence), so
nothing is downloaded, asked for by form, or bound to another framework; it gives the five points that alignment needs;
and it cut the faces for the winner of the DFDC and for LTW, so crops made with it compare with theirs. Later detectors
find more of the small, turned and covered faces; forgery data sets hold large frontal ones.
"""

from metaforge.data.detection._mtcnn import Detection as Detection
from metaforge.data.detection._mtcnn import detect as detect
from metaforge.data.detection._mtcnn import detect_largest as detect_largest
from metaforge.data.detection._networks import check_weights as check_weights
