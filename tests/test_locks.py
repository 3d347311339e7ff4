"""One writer to a directory: another process is refused while it is held, and only while it is held."""

import subprocess
import sys

import pytest
from PIL import Image

from metaforge import locks, runs
from metaforge.cli import prepare
from metaforge.errors import InputError

HOLDS = (
    "import sys; from metaforge.locks import lock_directory; "
    "held = lock_directory(sys.argv[1]); print('held', flush=True); input()"
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no flock")


@pytest.fixture
def other(tmp_path):
    """Another process that holds the directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_run_that_another_process_writes_to_is_refused_and_nothing_is_written(other, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    with pytest.raises(InputError, match=r"another process is writing to .*another --workdir"):
        runs.Run(tmp_path, {"seed": 0})
    assert list(tmp_path.iterdir()) == []


def test_data_are_not_prepared_into_a_folder_that_another_process_writes_to(other, tmp_path, monkeypatch, capsys):
    source, out = tmp_path.parent / f"{tmp_path.name}-source", tmp_path
    for kind in ("real", "fake"):
        (source / "test" / kind).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(source / "test" / kind / "a.png")
    monkeypatch.setattr(locks, "_PATIENCE", 0.0)
    flags = [f"--source={source}", f"--out={out}", "--crop=whole", "--workers=1"]
    assert prepare.main(["prepare", "--dataset=face_folder", *flags]) == 2
    assert "out: another process is writing to" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_who_waits_gets_the_directory_of_a_process_that_was_killed(other, tmp_path, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        other.kill()
        other.wait()

    monkeypatch.setattr(locks.time, "sleep", sleep)
    runs.Run(tmp_path, {"seed": 0}).log({"step": 1})
    assert len(waited) == 1
    assert runs.read_rows(tmp_path) == [{"step": 1}]


def test_who_waited_for_a_run_of_another_configuration_does_not_write_over_it(other, tmp_path, monkeypatch):
    def sleep(_):
        (tmp_path / "config.json").write_text('{"seed": 1}')
        other.kill()
        other.wait()

    monkeypatch.setattr(locks.time, "sleep", sleep)
    with pytest.raises(InputError, match="seed: 1 there, 0 asked"):
        runs.Run(tmp_path, {"seed": 0})
    assert (tmp_path / "config.json").read_text() == '{"seed": 1}'


def test_one_process_holds_a_directory_many_times_and_until_it_lets_go_of_all(tmp_path):
    def free():
        done = subprocess.run(
            [sys.executable, "-c", "from metaforge import locks; locks._PATIENCE = 0\n" + HOLDS, str(tmp_path)],
            input="\n", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or "another process is writing" in done.stderr
        return done.returncode == 0

    one, two = runs.Run(tmp_path, {}), runs.Run(tmp_path, {})
    assert not free()
    del one
    assert not free()
    del two
    assert free()


def test_a_file_system_without_locks_keeps_nobody_out(other, tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(45, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    locks.lock_directory(tmp_path)
