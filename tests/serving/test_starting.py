"""The command: what cannot work is said in a line before anything is served, and a stop answers what was accepted."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from metaforge.cli import serve
from metaforge.errors import InputError
from metaforge.serving.options import Options
from metaforge.serving.running import bounds_of, clear_spool, listening, names_of, refuse_open, service_of
from tests.serving.conftest import picture


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid", "127.evil.example"])
def test_an_address_beyond_this_machine_takes_tokens(host):
    with pytest.raises(InputError, match="no tokens"):
        refuse_open(Options(model="m", host=host))
    refuse_open(Options(model="m", host=host, tokens="tokens.txt"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_alone_takes_none(host):
    refuse_open(Options(model="m", host=host))


def test_any_address_is_no_name():
    assert "0.0.0.0" not in names_of(Options(model="m", host="0.0.0.0", names="a.example"))
    assert "192.0.2.1" in names_of(Options(model="m", host="192.0.2.1"))


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(InputError, match=r"port \d+ \(Address already in use\)"),
            listening(Options(model="m", port=taken.getsockname()[1])),
        ):
            pass


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..b", "\udcff"])
def test_what_no_host_can_be_called_is_said(host):
    with pytest.raises(InputError, match=r"^host: "), listening(Options(model="m", host=host, port=0)):
        pass


def test_a_page_is_no_name():
    for name in ("https://detector.example", "detector.example/", "a b"):
        with pytest.raises(InputError, match=r"^names: "):
            names_of(Options(model="m", names=f"localhost,{name}"))
    good = "*,a-b.example:8000,192.0.2.1,[2001:db8::1]:80,2001:db8::1,fe80::1%eth0"
    assert names_of(Options(model="m", names=good))[-6:] == good.split(",")


@pytest.mark.parametrize("flags", [{"video_mb": 2048}, {"image_mb": 1024}])
def test_the_largest_body_that_may_come_has_room(flags):
    limits = bounds_of(Options(model="m", **flags))
    assert limits.held >= max(limits.bodies.values())


def test_videos_that_a_kill_left_are_deleted(tmp_path):
    (tmp_path / "spool" / "left").mkdir(parents=True)
    (tmp_path / "spool" / "left" / "a.mp4").write_bytes(b"a face")
    clear_spool(Options(model="m", state=str(tmp_path)))
    assert list((tmp_path / "spool").iterdir()) == []
    clear_spool(Options(model="m", state=str(tmp_path / "new")))  # nothing is there yet


def test_small_pieces_of_an_answer_are_sent_at_once():
    async def accepted():
        answered = asyncio.get_running_loop().create_future()

        async def connected(_, writer):
            answered.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listening(Options(model="m", port=0)) as listener:
            async with await asyncio.start_server(connected, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                writer.close()
                return await answered

    assert asyncio.run(accepted()) != 0


def said(capsys, *flags):
    code = serve.main(["serve", *flags])
    return code, capsys.readouterr().err


def test_what_cannot_be_served_is_said_in_a_line(tiny_model, tmp_path, capsys):
    (tmp_path / "tokens").write_text("short line\n")
    os.chmod(tmp_path / "tokens", 0o600)
    (tmp_path / "no.onnx").write_bytes(b"no model")
    state = f"--state={tmp_path / 'state'}"
    good, trust = f"--model={tiny_model}", f"--trust={tmp_path / 'no.onnx'}"
    for flags, expected in {
        (f"--model={tmp_path / 'no.onnx'}", "--port=0", state): "is no detector in ONNX, or is damaged",
        (f"--model={tmp_path}", "--port=0", state): "no config.json",
        (good, "--port=0", trust, state): "holds no certificate",
        (f"--model={tmp_path}", "--host=0.0.0.0", state): "there are no tokens",
        (f"--model={tmp_path}", "--port=0", f"--state={tmp_path / 'no.onnx' / 'x'}"): "is not a folder",
    }.items():
        code, error = said(capsys, *flags)
        assert code == 2
        assert expected in error
        assert error.count("\n") == 1


def test_an_onnx_file_is_made_of_a_saved_detector_once(tmp_path):
    from metaforge.screening import save_detector
    from tests.serving.conftest import tiny_detector

    save_detector(tmp_path / "detector", tiny_detector())
    options = Options(model=str(tmp_path / "detector"), state=str(tmp_path / "state"))
    first = service_of(options).served
    assert first.path.endswith(f"{first.sha256}.onnx")
    before = os.stat(first.path)
    assert service_of(options).served == first
    assert os.stat(first.path) == before
    assert first.name == "detector"
    Path(first.path).write_bytes(Path(first.path).read_bytes()[:-9])  # one that is damaged is written again
    assert service_of(options).served == first
    assert os.stat(first.path).st_size == before.st_size


def test_a_stop_answers_what_was_accepted(tiny_model, tmp_path):
    """The process itself: signals and its end are what is tested."""
    flags = [f"--model={tiny_model}", f"--state={tmp_path}", "--port=0"]
    command = [sys.executable, "-m", "metaforge.cli", "serve", *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as process:
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        answers = []
        # Asked at once: no worker has started when the stop comes.
        files = [("files", ("a.png", picture(seed))) for seed in range(40)]
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}v1/predict/batch", files=files, timeout=60))
        )
        asking.start()
        waiting = 'metaforge_waiting_files{lane="fast"} 40.0'
        while asking.is_alive() and waiting not in httpx.get(f"{url}metrics").text:
            pass
        process.send_signal(signal.SIGTERM)
        asking.join(60)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [one["status"] for one in answers[0].json()["results"]] == [200] * 40
    assert "what was accepted is answered" in out
    assert "Traceback" not in err
