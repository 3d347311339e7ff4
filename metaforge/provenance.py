"""Which code ran where: what every report says of itself."""

import datetime
import subprocess
from pathlib import Path

import jax


def provenance() -> dict[str, str]:
    """Which code ran where."""
    try:
        command = ["git", "describe", "--always", "--dirty"]
        commit = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=True, cwd=Path(__file__).parent
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    return {"commit": commit, "date": now, "jax": jax.__version__, "device": jax.devices()[0].device_kind}
