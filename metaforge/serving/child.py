"""A program of Python in a process of its own: told one line of JSON, it says one, or it is said how it ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any


class Child:
    """A process that can be ended at any time, with whatever it has started."""

    def __init__(self, program: Sequence[str]):
        """Nothing is started yet.

        Args:
            program: what Python is called with.
        """
        self._program, self._killed = program, False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its number; `None` before it is started."""
        return self._process.pid if self._process else None

    async def run(self, told: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """Starts it, and waits for what it says; when this is left, however, the process has ended.

        Args:
            told: a line of JSON on its input, which then stays open: its end is how it learns that we are gone.

        Other Arguments:
            seconds: that it may take.

        Returns:
            What it says; "refused" with a sentence if it died or took too long.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._program, env=_environment(), start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        if self._killed:
            self.kill()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(told).encode() + b"\n")
            async with asyncio.timeout(seconds):
                answer = await stdout.read()
                code = await self._process.wait()
        except TimeoutError:
            took = f"{seconds / 60:.0f} minutes"
            return {"refused": f"Adapting took longer than {took}, and was ended. Send fewer or smaller images."}
        finally:
            self.kill()
            stdin.close()
            await asyncio.shield(self._process.wait())
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            return {"refused": f"The process that adapts {how}, perhaps for memory. Send fewer images, or send them "
                               "again."}  # fmt: skip
        return json.loads(answer)

    def kill(self) -> None:
        """Ends it now, or as soon as it is started."""
        self._killed = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """This process's, with its paths of modules."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
