from .scoring import PortableDetector as PortableDetector
from .scoring import load_onnx as load_onnx
from .scoring import read_onnx as read_onnx
from .writing import onnx_of as onnx_of
from .writing import save_onnx as save_onnx
