"""Which way of running a meta-batch is fastest here: found by running them, once, and remembered."""

import collections
import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metaforge.core.execution import Strategy
from metaforge.processor import instructions
from metaforge.types import Convolution
from metaforge.whole import write_text


class Form(NamedTuple):
    """How a meta-batch runs.

    Attributes:
        strategy: how its tasks do.
        convolution: how their convolutions do.
    """

    strategy: Strategy
    convolution: Convolution


def forms(*, tasks: int, backend: str | None = None) -> list[Form]:
    """The forms that are worth measuring on a backend; the first is what "auto" takes without measuring.

    Forms that lose everywhere are left out: `lax.conv` with weights of its own for each task on a CPU, above all.

    Args:
        tasks: in a meta-batch; a straight program of many tasks takes too long to compile.
        backend: "cpu", "gpu" or "tpu"; this machine's if left out.

    Example:
        >>> forms(tasks=4, backend="cpu")[0]
        Form(strategy='scan', convolution='winograd')
    """
    if (backend or jax.default_backend()) == "cpu":
        found = [Form("scan", "winograd"), Form("scan", "patches"), Form("unroll", "winograd"), Form("vmap", "patches")]
    else:
        found = [Form("vmap", "lax"), Form("vmap", "patches"), Form("unroll", "lax"), Form("scan", "lax")]
    return [form for form in found if form.strategy != "unroll" or tasks <= 8]


def interleave(programs: Mapping[str, Callable[[], Any]], *, rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of every program in every round, shape `(rounds,)` each.

    Each round runs every program, so that ratios within a round hold while the machine's speed drifts, and begins one
    program later than the one before. A program is called twice in a row, as in a training run one step follows the
    other, and the second call is timed: some leave threads behind that stay awake for a while, and other caches. A
    program must wait for its own result (`jax.block_until_ready`).

    Example:
        >>> sorted(interleave({"a": lambda: 1, "b": lambda: 2}, rounds=3))
        ['a', 'b']
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    order = collections.deque(programs)
    for _ in range(rounds):
        for name in order:
            programs[name]()
            began = time.perf_counter()
            programs[name]()
            times[name].append(1e3 * (time.perf_counter() - began))
        order.rotate(-1)
    return {name: np.array(ms) for name, ms in times.items()}


SIDE = 2048
"""Rows and columns of `matrix_product`: large enough that its speed is the device's."""


def matrix_product(kind: str = "float32") -> Callable[[], jax.Array]:
    """A program that multiplies two large square matrices of a dtype, sums in float32, and waits.

    Example:
        >>> callable(matrix_product("bfloat16"))
        True
    """
    square = jnp.ones((SIDE, SIDE), kind)
    product = jax.jit(functools.partial(jnp.matmul, preferred_element_type=jnp.float32))
    return lambda: jax.block_until_ready(product(square, square))


def fastest(
    programs: Mapping[str, Callable[[], Any]],
    *,
    key: Mapping[str, Any],
    cache: str | os.PathLike | None = None,
    rounds: int = 3,
    say: Callable[[str], None] = print,
) -> str:
    """The name of the fastest program, by the median of a few interleaved rounds, or as it was found before.

    Args:
        programs: by name; each waits for its own result.
        key: what the answer depends on, JSON-able: device, versions, shapes, order, steps.
        cache: a folder that remembers answers by their key; one that cannot be written is done without.
        rounds: rounds of measurement.
        say: prints the table.

    Example:
        >>> import tempfile
        >>> programs = {"slow": lambda: time.sleep(0.01), "fast": lambda: None}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fastest(programs, key={"size": 84}, cache=folder, say=lambda line: None)
        'fast'
    """
    digest = hashlib.sha256(json.dumps(dict(key), sort_keys=True).encode()).hexdigest()[:16]
    remembered = Path(cache) / f"fastest-{digest}.json" if cache else None
    try:
        found = json.loads(remembered.read_text(encoding="utf-8")) if remembered else {}
        if found.get("fastest") in programs and set(found["ms"]) == set(programs):
            return found["fastest"]
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # not there yet, or damaged: measured again
    ms = {name: float(np.median(values)) for name, values in interleave(programs, rounds=rounds).items()}
    best = min(ms, key=lambda name: ms[name])
    say("milliseconds per outer step: " + "; ".join(f"{name} {value:.1f}" for name, value in ms.items()))
    if remembered:
        with contextlib.suppress(OSError):  # a cache is a convenience
            write_text(remembered, json.dumps({"key": dict(key), "ms": ms, "fastest": best}, indent=2) + "\n")
    return best


def here() -> dict[str, str]:
    """The part of a key that is this machine's: backend, device, cores and version of JAX.

    Every CPU calls itself "cpu": its cores and its instructions (`metaforge.processor`) tell it apart.
    """
    device = jax.devices()[0].device_kind
    processor = f"{instructions()}, {os.cpu_count()} cores" if jax.default_backend() == "cpu" else ""
    return {"backend": jax.default_backend(), "device": device, "processor": processor, "jax": jax.__version__}
