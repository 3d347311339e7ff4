"""The training loop: outer steps in chunks, each of which is logged, judged and now and then saved. There is no other.

`metaforge train`, the studies, FakeRadar, Omniglot and the sinusoids all train in it; what they do not share, what a
chunk of outer steps computes, they hand in.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from metaforge.core.devices import is_writer
from metaforge.progress import progress
from metaforge.runs import Run

State = TypeVar("State")


Advance = Callable[[Any, int, int], tuple[Any, dict[str, Any]]]
"""`advance(state, step, count) -> (state, row)`: `count` outer steps, the first of which is number `step + 1`.

What it draws depends on these numbers alone, so that an interrupted run sees what it would have seen. `row` is what the
log says of the chunk, JSON-able. A chunk whose loss is not finite raises, and is neither logged nor saved.
"""


def outer_loop(
    run: Run,
    state: State,
    advance: Advance,
    *,
    steps: int,
    chunk: int,
    save_every: int = 0,
    save_seconds: float = float("inf"),
    judge: Callable[[State, int], dict[str, Any]] = lambda state, step: {},
    until: float = float("inf"),
    title: str = "",
    quiet: bool = True,
) -> tuple[int, State]:
    """Trains to the end, from the last checkpoint if there is one.

    Args:
        run: the directory that gets the log and the checkpoints.
        state: the state before the first outer step, a pytree of arrays.
        advance: takes a chunk of outer steps.

    Other Arguments:
        steps: how many outer steps there are in all.
        chunk: outer steps between two rows of the log; the last chunk may be shorter.
        save_every: outer steps between checkpoints, looked at where a chunk ends; 0 for none but the last one.
        save_seconds: seconds after a checkpoint, or the start, from which the end of a chunk is worth one.
        judge: more of a row, of the state after so many steps. It is not counted in the row's seconds.
        until: when to stop, in seconds of `time.monotonic()`: where the first chunk after it ends, with a checkpoint.
        title: of the progress bar.
        quiet: whether to show none.

    Returns:
        How many steps are done, and the state after them.

    Example:
        >>> import tempfile
        >>> import jax.numpy as jnp
        >>> def advance(state, step, count):
        ...     return {"sum": state["sum"] + count}, {"loss": float(state["sum"])}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     outer_loop(Run(folder, {}), {"sum": jnp.zeros(())}, advance, steps=5, chunk=2)
        (5, {'sum': Array(5., dtype=float32)})
    """
    step, state = run.resume(state)
    saved = time.monotonic()
    with progress(title, steps, done=step, quiet=quiet or not is_writer()) as bar:
        while step < steps:
            began, count = time.perf_counter(), min(chunk, steps - step)
            state, row = advance(state, step, count)
            step += count
            row = {"step": step, "seconds": round(time.perf_counter() - began, 4)} | row
            run.log(row | judge(state, step))
            over = time.monotonic() > until
            due = (save_every and step % save_every == 0) or time.monotonic() - saved > save_seconds
            if due or over or step == steps:
                run.save(step, state)
                saved = time.monotonic()
            bar.update(count)
            bar.set_postfix(_short(row), refresh=False)
            if over:
                break
    return step, state


def _short(row: dict[str, Any]) -> dict[str, str]:
    """What the progress bar says of a row."""
    return {name.removeprefix("query_"): f"{row[name]:.3f}" for name in ("query_loss", "query_accuracy") if name in row}
