"""Parts of a cluster that need none: taking together what waits, a replica's health, and the config's arguments."""

import asyncio
import dataclasses
from pathlib import Path

import pydantic
import pytest
import yaml

pytest.importorskip("fastapi")
pytest.importorskip("onnxruntime")

from metaforge.errors import InputError
from metaforge.serving.cluster.arguments import OF_RAY, Arguments, options_of
from metaforge.serving.cluster.front import for_this_machine
from metaforge.serving.cluster.judge import Judge
from metaforge.serving.cluster.together import Together
from metaforge.serving.options import Options
from metaforge.serving.served import served_of
from tests.serving.conftest import picture

ROOT = Path(__file__).parents[2]


def test_what_comes_while_a_call_is_made_is_taken_together_afterwards():
    sizes = []

    async def main():
        free = asyncio.Event()

        async def slow(items):
            sizes.append(len(items))
            await free.wait()
            return items

        together = Together(slow, most=16)
        first = asyncio.create_task(together(0))
        while not sizes:
            await asyncio.sleep(0)
        rest = []
        for item in range(1, 41):  # one after another, as requests come
            rest.append(asyncio.create_task(together(item)))
            await asyncio.sleep(0)
        gone = rest.pop(4)
        gone.cancel()
        free.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(main()) == [item for item in range(41) if item != 5]
    assert sizes == [1, 16, 16, 7]  # who is gone is not judged


def test_each_of_those_taken_together_is_told_what_went_wrong_and_the_next_are_taken():
    async def main():
        async def fails_once(items):
            if items[0] == 0:
                raise RuntimeError("broken")
            return items

        together = Together(fails_once, most=2)
        return await asyncio.gather(*(together(item) for item in range(4)), return_exceptions=True)

    first, second, *rest = asyncio.run(main())
    assert isinstance(first, RuntimeError)
    assert isinstance(second, RuntimeError)
    assert rest == [2, 3]


def test_a_replica_is_healthy_while_it_scores_and_is_not_when_it_scores_for_too_long(tiny_model, tmp_path):
    import threading

    release, held = threading.Event(), threading.Event()

    class Holding(Judge):
        def _answers(self, asked):
            held.set()
            assert release.wait(60)
            return super()._answers(asked)

    async def main():
        served = served_of(str(tiny_model), tmp_path)
        judge = Holding({"lane": "fast", "patience": 3600.0, "served": [served.as_json()], "frames": 4, "trust": "",
                         "threads": 1, "nice": 0})  # fmt: skip
        await judge.check_health()
        said = {"name": "a.png", "served": "default", "path": "", "crops": False, "evidence": False, "map": False}
        asked = asyncio.create_task(judge.judge(said, picture(0)))
        await asyncio.to_thread(held.wait, 60)
        try:
            await asyncio.wait_for(judge.check_health(), 10)
            judge._patience = 0.0
            with pytest.raises(RuntimeError, match="more than 0 seconds"):
                await judge.check_health()
        finally:
            release.set()
        return await asked

    found = asyncio.run(main())
    assert (found["files"], found["place"]) == (1, 0)
    assert found["answer"]["record"]["error"] is None


def test_arguments_are_the_settings_of_the_service_and_deploy_names_some():
    assert {*Arguments.model_fields} | {*OF_RAY} == {field.name for field in dataclasses.fields(Options)}
    (app,) = yaml.safe_load((ROOT / "deploy" / "ray.yaml").read_text())["applications"]
    assert options_of(Arguments(**app["args"])) == Options(**app["args"])
    with pytest.raises(pydantic.ValidationError):
        Arguments(**app["args"], workers=3)
    with pytest.raises(InputError, match="queue"):
        options_of(Arguments(**app["args"], queue=0))


def test_without_tokens_other_machines_are_refused():
    async def main(client):
        sent = []

        async def app(scope, receive, send):
            sent.append({"status": 200})

        async def send(message):
            sent.append(message)

        await for_this_machine(app)({"type": "http", "path": "/", "client": client}, None, send)
        return sent[0]["status"]

    assert [asyncio.run(main(client)) for client in (("127.0.0.1", 1), ("10.0.0.9", 1), None)] == [200, 403, 403]
