"""Eight devices give the numbers of one, and what cannot be shared is refused."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import metaforge as mf
from metaforge.backbones._winograd import winograd_conv
from metaforge.core import devices
from metaforge.data.pools import gather
from metaforge.errors import InputError

TASKS = 8


def one_convolution(params, batch):
    """The smallest model that has a convolution of our own, batch statistics and a head."""
    hidden = winograd_conv(batch.inputs.astype(params["kernel"].dtype), params["kernel"])
    hidden = jnp.tanh(hidden - hidden.mean(axis=(0, 1, 2), keepdims=True)).mean(axis=(1, 2))
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(hidden @ params["head"], batch.targets)
    return losses.mean(), {}


def learners(count):
    """Every way in which a task's gradient meets the others'; on one device a scan, the smallest of programs."""
    rules = {"inner_optimizer": optax.sgd(0.1), "outer_optimizer": optax.sgd(1.0)}
    daml = lambda order, strategy: mf.daml(
        one_convolution, order=order, strategy="scan" if count == 1 else strategy, inner_steps=2, **rules
    )
    made = {f"daml, {order}, {strategy}": daml(order, strategy)
            for order, strategy in (("first", "unroll"), ("second", "vmap"), ("mixed", "scan"))}  # fmt: skip
    return made | {"erm": mf.erm(one_convolution, **rules)}


def compare_devices():
    """Runs in a process of its own, which has eight devices."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(12, 4, 4, 16)), np.arange(12, dtype=np.int32) % 2
    support, query = (rng.integers(0, 12, (TASKS, n)) for n in (2, 3))
    params = {"kernel": rng.normal(size=(3, 3, 16, 3)), "head": rng.normal(size=(3, 2))}
    of = {count: learners(count) for count in (1, 2, 8)}
    for name in of[1]:
        found = {}
        for count in (1, 2, 8) if name == "erm" else (1, 8):
            placed, learner = devices.spread(count, tasks=TASKS), of[count][name]

            def update(state, images, labels, support, query, learner=learner):
                return learner.update(state, gather(images, labels, support, query))

            with placed.on_mesh():
                arrays = (*placed.replicate((images, labels)), placed.by_task(support), placed.by_task(query))
                state = placed.replicate(jax.device_get(learner.init(params)))
                state, info = jax.jit(update, out_shardings=placed.everywhere)(state, *arrays)
            assert len(info.loss.sharding.device_set) == count, name
            found[count] = jax.device_get((state, info))
        for count in set(found) - {1}:
            where = f"{name}, {count} devices"
            close = lambda a, b, where=where: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=where)
            jax.tree.map(close, found[count], found[1])
    for tasks, share in ((12, 6), (16, 8), (7, 7), (11, 1)):
        shared = devices.spread(0, tasks=tasks).by_task(np.arange(tasks))
        assert len(shared.sharding.device_set) == share, (tasks, share)
    print("equal")


def test_eight_devices_equal_one():
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8", "JAX_ENABLE_X64": "1",
                                "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.test_devices"], check=False, env=environment, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "equal" in done.stdout


@pytest.mark.parametrize(
    ("count", "tasks", "said"),
    [(4096, 4096, "`devices`=4096: there are"), (2, 3, "`tasks`=3: 2 devices cannot share them evenly")],
)
def test_what_cannot_be_shared_is_one_line(count, tasks, said, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    with pytest.raises(InputError, match=said):
        devices.spread(count, tasks=tasks)


def test_processes_that_do_not_find_each_other_are_told_what_to_do(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no answer")

    monkeypatch.setattr(jax.distributed, "initialize", refuse)
    with pytest.raises(InputError, match="cannot join process 1 of 2"):
        devices.connect("10.0.0.1:1234", 2, 1)
    with pytest.raises(InputError, match="`process`=2: of 2 processes, give a number from 0 to 1"):
        devices.connect("10.0.0.1:1234", 2, 2)
    devices.connect("", 1, 0)


def test_one_device_needs_no_mesh():
    placed = devices.spread(1, tasks=3)
    assert placed.everywhere is None
    np.testing.assert_array_equal(placed.by_task(np.arange(3)), np.arange(3))
    assert jnp.shape(placed.replicate({"a": np.ones(2)})["a"]) == (2,)


if __name__ == "__main__":
    compare_devices()
