"""One live service for all tests that only ask it."""

import pytest

from tests.serving.attacks.live import served


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """`metaforge serve` with a tiny detector that takes whole pictures, and no tokens."""
    with served(tmp_path_factory.mktemp("live"), "--image_mb=4", "--video_mb=4", "--workers=1") as running:
        yield running
