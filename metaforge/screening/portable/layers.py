"""A convolution and its normalisation as one: what normalises every image alike is folded into the weights."""

from typing import Any, NamedTuple

import numpy as np

from metaforge.screening.portable.graph import Graph


class Maps(NamedTuple):
    """Maps of images in a graph.

    Attributes:
        name: in the graph.
        side: in pixels.
        channels: how many.
    """

    name: str
    side: int
    channels: int


class Normalising(NamedTuple):
    """Whose statistics normalise.

    Attributes:
        kind: "frozen", "support", "episode", "group" or "none".
        epsilon: is added to variances.
        context: uint8 images whose statistics they are, of "support" and "episode".
    """

    kind: str
    epsilon: float
    context: np.ndarray


def convolved(graph: Graph, inputs: Maps, kernel: Any, norm: Any, by: Normalising, *, bias: Any = None, stride: int = 1,
              groups: int = 1, same: bool = True) -> Maps:  # fmt: skip
    r"""A convolution, then $y = \gamma\,(x - \mu)/\sqrt{v + \epsilon} + \beta$.

    With statistics that are the same for all images it is one convolution, of $\gamma / \sqrt{v + \epsilon}$ times the
    kernel. Those of context images are found by running what the graph holds so far on them.

    Args:
        graph: what is added to.
        inputs: maps.
        kernel: `(height, width, channels in a group, channels out)`.
        norm: the parameters `scale`, `bias`, and of "frozen" `mean` and `variance`; `None` without.
        by: whose statistics.

    Other Arguments:
        bias: of the convolution.
        stride: of both directions.
        groups: of channels.
        same: as in `Graph.convolution`.
    """
    kernel = np.asarray(kernel, np.float64)
    channels = kernel.shape[-1]
    offset = np.zeros(channels) if bias is None else np.asarray(bias, np.float64)

    def add(gain, offset):
        return graph.convolution(
            inputs.name, kernel * gain, offset, side=inputs.side, stride=stride, groups=groups, same=same
        )

    if norm is None or by.kind == "group":
        name, side = add(1.0, offset)
        maps = Maps(name, side, channels)
        return maps if norm is None else _grouped(graph, maps, norm, by.epsilon)
    if by.kind == "frozen":
        mean, variance = (np.asarray(norm[name], np.float64) for name in ("mean", "variance"))
    else:
        before = graph.mark()
        mean, variance = _statistics(graph, Maps(*add(1.0, offset), channels), by.context)
        graph.back_to(before)
    gain = np.asarray(norm["scale"], np.float64) / np.sqrt(variance + by.epsilon)
    name, side = add(gain, (offset - mean) * gain + np.asarray(norm["bias"], np.float64))
    return Maps(name, side, channels)


def groups_of(channels: int) -> int:
    """How many groups "group" makes of channels: the most up to 8 that are equal.

    Example:
        >>> groups_of(32), groups_of(12), groups_of(11)
        (8, 6, 1)
    """
    return max(groups for groups in range(1, 9) if channels % groups == 0)


def _grouped(graph: Graph, maps: Maps, norm: Any, epsilon: float) -> Maps:
    groups = groups_of(maps.channels)
    rows = graph.reshaped(maps.name, 0, groups, -1)
    ones, zeros = graph.constant(np.ones(groups)), graph.constant(np.zeros(groups))
    rows = graph.add("InstanceNormalization", rows, ones, zeros, epsilon=epsilon)
    back = graph.constant([-1, maps.channels, maps.side, maps.side], kind=np.int64)
    scale, bias = (graph.constant(np.reshape(norm[name], (1, -1, 1, 1))) for name in ("scale", "bias"))
    name = graph.add("Add", graph.add("Mul", graph.add("Reshape", rows, back), scale), bias)
    return maps._replace(name=name)


def _statistics(graph: Graph, maps: Maps, context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel over context images and positions."""
    from metaforge.screening.portable.opened import session_of

    model = graph.model({"maps": maps.name}, width=maps.channels).SerializeToString()
    (values,) = session_of(model).run(["maps"], {"images": np.ascontiguousarray(context)})
    values = np.asarray(values, np.float64)
    return values.mean(axis=(0, 2, 3)), values.var(axis=(0, 2, 3))
