"""The same meta-step as PyTorch's users write it: what the benchmark compares with. Needs the extra `bench`.

Three forms: a loop over tasks as learn2learn's examples have it, `torch.func` (`vmap` of `grad`), and `torch.compile`
of that. All start from the parameters of a `conv4(normalisation="episode")`, so that the first loss must agree.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

FORMS = ("torch loop", "torch.func", "torch.compile")
"""A Python loop over tasks; all tasks at once by `vmap`; the latter compiled."""


def available() -> bool:
    """Whether PyTorch is installed."""
    import importlib.util

    return importlib.util.find_spec("torch") is not None


def meta_step(
    form: str, params: Any, episodes: Any, *, order: str, inner_steps: int, inner_lr: float, outer_lr: float
) -> Callable[[], float]:
    """A function that takes one outer step of MAML on its own copy of `params` and returns the loss before it.

    Args:
        form: one of `FORMS`.
        params: of `conv4`, as flax names them.
        episodes: a meta-batch as the JAX forms get it: uint8 images `(tasks, examples, height, width, 3)`.
        order: "first" or "second".
        inner_steps: steps of plain gradient descent.
        inner_lr: their rate.
        outer_lr: Adam's.
    """
    import torch  # pyright: ignore[reportMissingImports]

    device = "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"
    theta = {name: torch.tensor(leaf, device=device, requires_grad=True) for name, leaf in _flat(params).items()}
    optimizer = torch.optim.Adam(theta.values(), lr=outer_lr)
    names, exact = list(theta), order == "second"
    # By name: an episode has more fields than these two.
    parts = (episodes.support, episodes.query)
    tensors = [_images(part.inputs, device) for part in parts]
    tensors += [torch.tensor(np.asarray(part.targets), device=device).long() for part in parts]

    # The second derivative of `batch_norm` under `vmap` is wrong in PyTorch 2.13 (see `_normalised`).
    by_hand = exact and form != "torch loop"

    def loss(weights, images, labels):
        return torch.nn.functional.cross_entropy(_conv4(weights, images, by_hand=by_hand), labels)

    def loop(support, query, support_labels, query_labels):
        total = 0.0
        for task in range(len(support)):
            fast = dict(theta)
            for _ in range(inner_steps):
                value = loss(fast, support[task], support_labels[task])
                grads = torch.autograd.grad(value, list(fast.values()), create_graph=exact)
                fast = {name: fast[name] - inner_lr * grad for name, grad in zip(names, grads, strict=True)}
            value = loss(fast, query[task], query_labels[task])
            value.backward()
            total += float(value.detach())
        return total

    def batched(weights, support, query, support_labels, query_labels):
        def one(support, query, support_labels, query_labels):
            fast = weights
            for _ in range(inner_steps):
                grads = torch.func.grad(loss)(fast, support, support_labels)
                grads = grads if exact else {name: grad.detach() for name, grad in grads.items()}
                fast = {name: fast[name] - inner_lr * grads[name] for name in names}
            return loss(fast, query, query_labels)

        return torch.func.vmap(one)(support, query, support_labels, query_labels).sum()

    gradient = torch.func.grad_and_value(batched)
    if form == "torch.compile":
        gradient = torch.compile(gradient)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        if form == "torch loop":
            value = loop(*tensors)
        else:
            grads, total = gradient({name: leaf.detach() for name, leaf in theta.items()}, *tensors)
            for name in names:
                theta[name].grad = grads[name]
            value = float(total)
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return value

    return step


def _conv4(weights, images, *, by_hand: bool):
    from torch.nn import functional as fn  # pyright: ignore[reportMissingImports]

    hidden = images
    for block in range(4):
        hidden = fn.conv2d(hidden, weights[f"Conv_{block}/kernel"], padding=1)
        norm = f"Normalise_{block}/EpisodicBatchNorm_0"
        # Without running statistics: those of the batch at hand.
        scale_and_bias = weights[f"{norm}/scale"], weights[f"{norm}/bias"]
        if by_hand:
            hidden = _normalised(hidden, *scale_and_bias)
        else:
            hidden = fn.batch_norm(hidden, None, None, *scale_and_bias, training=True)
        hidden = fn.max_pool2d(fn.relu(hidden), 2)
    embeddings = hidden.permute(0, 2, 3, 1).flatten(1)
    return fn.linear(embeddings, weights["head/kernel"], weights["head/bias"])


def _normalised(hidden, scale, bias):
    """`batch_norm` written out, for exact gradients in `torch.func`.

    There `torch.nn.functional.batch_norm` gives another outer gradient than in a plain loop; the loop's is JAX's, and
    written out, all three agree. Of its kind: pytorch/pytorch#186256, #196699.
    """
    import torch  # pyright: ignore[reportMissingImports]

    variance, mean = torch.var_mean(hidden, dim=(0, 2, 3), correction=0, keepdim=True)
    return (hidden - mean) * torch.rsqrt(variance + 1e-5) * scale[:, None, None] + bias[:, None, None]


def _flat(params: Any) -> dict[str, np.ndarray]:
    """Parameters by path, convolutions as PyTorch lays them out: features first."""
    flat = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        array = np.asarray(leaf)
        axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim)
        name = "/".join(str(part.key) for part in path if part.key != "params")
        flat[name] = np.ascontiguousarray(array if axes is None else array.transpose(axes))
    return flat


def _images(images: Any, device: str):
    import torch  # pyright: ignore[reportMissingImports]

    floats = np.asarray(images, np.float32) / 127.5 - 1.0
    return torch.tensor(np.ascontiguousarray(np.moveaxis(floats, -1, -3)), device=device)
