"""A graph of ONNX that is built layer by layer: maps are `(images, channels, height, width)`, weights are folded."""

from typing import Any

import numpy as np

OPSET = 17
"""The operators' version: ONNX Runtime 1.12 and later, OpenVINO and TensorRT 8.5 and later read it."""

IR = 8
"""The file's version, which goes with that."""


class Graph:
    """Nodes and constants, in the order in which they were added; every output is named by its number."""

    def __init__(self, size: int):
        """Begins with the images: uint8 `(images, size, size, 3)`."""
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.size = size

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node; returns the name of what it gives."""
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def add_several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """A node that gives so many things; returns their names."""
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return tuple(names)

    def constant(self, value: Any, *, kind: type = np.float32) -> str:
        """A constant; returns its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def mark(self) -> tuple[int, int]:
        """How far it is built."""
        return len(self.nodes), len(self.constants)

    def back_to(self, mark: tuple[int, int]) -> None:
        """Forgets what was added since."""
        del self.nodes[mark[0] :], self.constants[mark[1] :]

    def images(self, mean: Any, deviation: Any) -> str:
        """The images as float32 maps, less a mean and through a deviation of red, green and blue, in grey levels."""
        channels_first = self.add("Transpose", self.add("Cast", "images", to=1), perm=[0, 3, 1, 2])
        less = self.add("Sub", channels_first, self.constant(np.reshape(mean, (1, 3, 1, 1))))
        # A product is what an accelerator has; the last digit is that of a quotient or one beside it.
        return self.add("Mul", less, self.constant(1 / np.reshape(np.float64(deviation), (1, 3, 1, 1))))

    def convolution(self, inputs: str, kernel: np.ndarray, bias: np.ndarray | None, *, side: int, stride: int = 1,
                    groups: int = 1, same: bool = True) -> tuple[str, int]:  # fmt: skip
        """A convolution, and the side of what it gives.

        Args:
            inputs: maps.
            kernel: `(height, width, channels in a group, channels out)`.
            bias: `(channels out,)`.

        Other Arguments:
            side: of the maps that go in, in pixels.
            stride: of both directions.
            groups: of channels.
            same: whether to pad as TensorFlow's "SAME" does; otherwise by half the kernel on all sides.
        """
        reach, out = kernel.shape[0], -(-side // stride)
        total = max((out - 1) * stride + reach - side, 0)
        before, after = (total // 2, total - total // 2) if same else (reach // 2, reach // 2)
        weights = [self.constant(np.transpose(kernel, (3, 2, 0, 1)))] + ([] if bias is None else [self.constant(bias)])
        made = self.add("Conv", inputs, *weights, kernel_shape=[reach, reach], strides=[stride, stride], group=groups,
                        pads=[before, before, after, after])  # fmt: skip
        return made, out

    def affine(self, inputs: str, kernel: np.ndarray, bias: np.ndarray | None) -> str:
        """$xW + b$ of rows; the kernel is `(features in, features out)`."""
        weights = [self.constant(kernel)] + ([] if bias is None else [self.constant(bias)])
        return self.add("Gemm", inputs, *weights)

    def product(self, inputs: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        """The same of the last axis of what has more axes than two."""
        return self.add("Add", self.add("MatMul", inputs, self.constant(kernel)), self.constant(bias))

    def reshaped(self, inputs: str, *shape: int) -> str:
        """The same numbers in another shape: 0 keeps an axis, and -1 takes what is left."""
        return self.add("Reshape", inputs, self.constant(shape, kind=np.int64))

    def part(self, inputs: str, first: int, end: int) -> str:
        """What lies along the second axis from one place up to before another."""
        return self.add("Slice", inputs, *(self.constant([n], kind=np.int64) for n in (first, end, 1)))

    def normalised_rows(self, inputs: str, norm: Any, epsilon: float) -> str:
        """The last axis with mean 0 and variance 1, times `norm["scale"]`, plus `norm["bias"]`."""
        scale, bias = (self.constant(norm[name]) for name in ("scale", "bias"))
        return self.add("LayerNormalization", inputs, scale, bias, axis=-1, epsilon=epsilon)

    def relu6(self, inputs: str) -> str:
        """What is below 0 or above 6 is 0 or 6."""
        return self.add("Clip", inputs, self.constant(0.0), self.constant(6.0))

    def model(self, outputs: dict[str, str], *, width: int = 0) -> Any:
        """The whole as an `onnx.ModelProto`, checked.

        Args:
            outputs: names for what comes out, and what each is: one number an image.

        Other Arguments:
            width: if not 0, the outputs are maps, of so many channels.
        """
        import onnx
        from onnx import TensorProto, helper

        shape = ["images", width, None, None] if width else ["images"]
        named = [helper.make_node("Identity", [inner], [name], name=name) for name, inner in outputs.items()]
        images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["images", self.size, self.size, 3])
        last = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs]
        graph = helper.make_graph([*self.nodes, *named], "detector", [images], last, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=IR, producer_name="metaforge")
        onnx.checker.check_model(made)
        return made
