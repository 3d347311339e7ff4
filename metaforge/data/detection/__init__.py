"""Where the faces are: boxes, five points and a mesh of each, in the pixels of a picture (the extra `faces`)."""

from metaforge.data.detection.detection import Detection as Detection
from metaforge.data.detection.finding import check_finder as check_finder
from metaforge.data.detection.finding import find_again as find_again
from metaforge.data.detection.finding import find_face as find_face
from metaforge.data.detection.finding import find_faces as find_faces
