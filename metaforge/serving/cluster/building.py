"""What Ray Serve builds of a config: a front, replicas that judge pictures, and such that judge what takes long."""

import dataclasses
from pathlib import Path
from typing import Any

from metaforge.errors import InputError
from metaforge.serving.cluster.arguments import Arguments, options_of
from metaforge.serving.queue import MOST

THREADS = 2
"""Threads of a replica that read files; and the cores that it is given, unless the config says otherwise."""


def app(arguments: Arguments) -> Any:
    """The application; whatever cannot work is said here, before a replica is started.

    The detector is written in ONNX into the state's folder once, where all machines must find it under one path.

    Args:
        arguments: `args` of the config.

    Raises:
        InputError: if Ray Serve is not installed, a setting is wrong, or the detector cannot be read.
    """
    try:
        from ray import serve  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("Ray Serve is not installed. Call pip install 'metaforge-jax[ray,serve]'.") from None
    from metaforge.serving.keeper import PATIENCE
    from metaforge.serving.running import about_of, state_of
    from metaforge.serving.served import served_of

    options = options_of(arguments)
    options = dataclasses.replace(options, state=str(Path(options.state).resolve()))
    state = state_of(options)
    served = served_of(options.model, state / "models", weights=options.weights)
    spare = served_of(options.spare, state / "models", id="spare") if options.spare else None
    about = about_of(served) | {"spare": None if spare is None else {"name": spare.name, "sha256": spare.sha256}}
    opened = [each.as_json() for each in (served, spare) if each is not None]
    common = {"served": opened, "frames": options.frames, "trust": options.trust}
    usual = {
        "max_queued_requests": options.queue,
        "graceful_shutdown_timeout_s": float(options.grace),
        "graceful_shutdown_wait_loop_s": 1.0,
    }

    from metaforge.serving.cluster.front import Front
    from metaforge.serving.cluster.judge import Judge

    fast = serve.deployment(
        Judge, name="Judge", max_ongoing_requests=2 * MOST["fast"], **usual, ray_actor_options={"num_cpus": THREADS},
    ).bind({**common, "lane": "fast", "patience": PATIENCE["fast"], "threads": THREADS, "nice": 0})  # fmt: skip
    slow = serve.deployment(
        Judge, name="Slow", max_ongoing_requests=MOST["slow"], **usual, ray_actor_options={"num_cpus": 1},
    ).bind({**common, "lane": "slow", "patience": PATIENCE["slow"], "threads": 1, "nice": 10})  # fmt: skip
    setup = {
        "options": dataclasses.asdict(options), "about": about,
        "served": served.as_json(), "spare": None if spare is None else spare.as_json(),
    }  # fmt: skip
    # Whatever comes is let in, so that the guards answer it and not Ray's proxy.
    front = serve.deployment(
        serve.ingress()(Front), name="Front", max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.5},
        graceful_shutdown_timeout_s=float(options.grace), graceful_shutdown_wait_loop_s=1.0,
    )  # fmt: skip
    return front.bind(setup, fast, slow)
