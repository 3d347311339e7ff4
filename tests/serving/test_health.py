"""What watches the service may ask without a token, by GET or HEAD, and learns nothing else by it."""

import asyncio

from tests.serving.apps import asked


class Failed:
    """A pool whose workers cannot start."""

    ready, failed = False, "model '/home/ann/detector': it is gone"


def test_probes_are_answered_to_head_as_to_get_and_name_no_place_of_the_machine(tmp_path):
    async def probe():
        async with asked(tmp_path, pool=Failed()) as (client, _):
            return [
                await client.request(method, path) for path in ("/healthz", "/readyz") for method in ("GET", "HEAD")
            ]

    answers = asyncio.run(probe())
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert "cannot start, and the log says why" in answers[2].json()["error"]["message"]
    assert "/home" not in answers[2].text
    assert answers[3].headers["retry-after"] == "2"
