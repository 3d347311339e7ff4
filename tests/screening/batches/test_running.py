"""Many files: each judged once, whatever interrupts, in the order that was asked for."""

import fcntl
import inspect
import json
import os
import sys
import threading

import pytest

from metaforge.cli import screen
from metaforge.data.folders import list_images
from metaforge.data.formats import VIDEOS
from metaforge.errors import InputError
from metaforge.screening import verdicts
from metaforge.screening.batches import names, running, seen, sources, spilling, walking
from metaforge.screening.batches.options import Options
from tests.screening.batches.stub import Stub

NAMES = ["A2.png", "a9.png", "a10.png", "b/1.JPG", "b/2.jpg", "b/10.jpg", "c/bad.jpg", "c/film.mp4", "caf\udce9.jpg"]


@pytest.fixture
def archive(tmp_path):
    """Names in several folders, with links in a circle, and one that is bad."""
    root = tmp_path / "archive"
    others = ("notes.txt", ".hidden/x.jpg", "c/.x.jpg")
    for name in (*(name for name in NAMES if name.isascii()), *others):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "c" / "up").symlink_to(root, target_is_directory=True)
    (root / "c" / "self").symlink_to("self")
    (root / "caf\udce9.jpg").touch()
    return root


def options(archive, tmp_path, **changes):
    return Options(**{"model": "stub", "images": str(archive), "out": str(tmp_path / "r.jsonl"), **changes})


def names_in(path):
    return [json.loads(line)["file"] for line in path.read_text(encoding="utf-8").splitlines()]


def run(archive, tmp_path, stub=None, **changes):
    return running.run(options(archive, tmp_path, **changes), screener=stub or Stub(), quiet=True)


def test_a_folder_is_walked_in_the_order_in_which_a_list_of_it_is(archive, monkeypatch):
    listed = [path.relative_to(archive).as_posix() for path in list_images(archive, more=VIDEOS)]
    assert list(walking.walk(str(archive))) == listed == NAMES
    monkeypatch.setattr(spilling.sorted_on_disk, "__kwdefaults__", {"run": 2})  # sorted on the disk
    assert list(walking.walk(str(archive))) == NAMES
    assert walking.count(str(archive)) == len(NAMES)


def test_every_name_is_kept_once_however_many_there_are(monkeypatch):
    monkeypatch.setattr(seen, "_RECENT", 7)
    made = seen.Seen()
    assert [made.add(str(number % 100)) for number in range(300)] == [True] * 100 + [False] * 200
    assert len(made) == 100
    assert "99" in made
    assert "100" not in made


def test_what_is_interrupted_anywhere_ends_as_what_was_not(archive, tmp_path):
    whole = tmp_path / "whole.jsonl"
    assert run(archive, tmp_path, out=str(whole)).counts["error"] == 1
    assert names_in(whole) == NAMES
    for stop in range(len(NAMES)):
        for torn in (0, 40):
            out = tmp_path / f"{stop}-{torn}.jsonl"
            with pytest.raises(KeyboardInterrupt):
                run(archive, tmp_path, Stub(stop=stop), out=str(out))
            if torn and stop:  # a kill in the midst of a line
                os.truncate(out, out.stat().st_size - torn)
            left = stop - bool(torn and stop)
            stub = Stub()
            done = run(archive, tmp_path, stub, out=str(out))
            assert out.read_bytes() == whole.read_bytes()
            assert (done.before, done.judged, stub.judged) == (left, len(NAMES) - left, NAMES[left:])


def test_files_that_came_meanwhile_are_judged_and_no_other(archive, tmp_path):
    run(archive, tmp_path)
    (archive / "a1.png").touch()
    stub = Stub()
    run(archive, tmp_path, stub)
    assert stub.judged == ["a1.png"]
    assert names_in(tmp_path / "r.jsonl") == [*NAMES, "a1.png"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"frames": 8}, "frames"), ({"engine": "jax"}, "engine"), ({"images": "b"}, "images"), ({}, "model")],
)
def test_results_of_another_call_are_left_alone(archive, tmp_path, changes, word):
    run(archive, tmp_path)
    before = (tmp_path / "r.jsonl").read_bytes()
    changes = {name: str(archive / value) if name == "images" else value for name, value in changes.items()}
    with pytest.raises(InputError, match=f"made with another {word}. Choose another --out") as refused:
        run(archive, tmp_path, Stub(sha256="cd" * 32) if word == "model" else None, **changes)
    assert "\n" not in str(refused.value)
    assert (tmp_path / "r.jsonl").read_bytes() == before


def test_a_file_that_is_somebody_else_s_is_left_alone(archive, tmp_path):
    for name, content in (("r.jsonl", "{}\n"), ("r.html", "<p>mine</p>"), ("t.csv", "mine\n")):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match="exists already"):
            run(archive, tmp_path, page=True, triage=str(tmp_path / "t.csv"))
        assert (tmp_path / name).read_text() == content
        (tmp_path / name).unlink()
        assert not (tmp_path / "r.jsonl").exists()
    for name in ("out", "triage"):
        with pytest.raises(InputError, match="is inside --images"):
            run(archive, tmp_path, **{name: str(archive / "r.csv")})


def test_places_that_would_meet_are_refused_before_the_work(archive, tmp_path):
    for changes, words in (({"out": f"{tmp_path}/r.html"}, "no .jsonl"), ({"triage": f"{tmp_path}/r.jsonl"}, "already"),
                           ({"triage": f"{tmp_path}/./r.html"}, "already")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            run(archive, tmp_path, **changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]


def test_two_cannot_write_to_one_file(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("metaforge.locks._PATIENCE", 0.0)
    run(archive, tmp_path)
    with open(tmp_path / "r.jsonl") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # which is another's, since it was not asked for by `lock_directory`
        with pytest.raises(InputError, match="another process is writing to"):
            run(archive, tmp_path)


def test_what_cannot_wait_is_judged_first_and_once(archive, tmp_path):
    stub = Stub()
    done = run(archive, tmp_path, stub, priority="b/*")
    assert stub.judged == [*NAMES[3:6], *NAMES[:3], *NAMES[6:]]
    assert done.left_out == {".txt": 1, "": 1}  # a link to itself is no folder
    first = tmp_path / "first.txt"
    first.write_text(f"c/film.mp4\n./a9.png\r\n{archive}/b/2.jpg\ngone.jpg")
    stub = Stub()
    run(archive, tmp_path, stub, priority=str(first), out=str(tmp_path / "s.jsonl"))
    assert stub.judged[:4] == ["c/film.mp4", "a9.png", "b/2.jpg", "gone.jpg"]
    assert sorted(stub.judged) == sorted([*NAMES, "gone.jpg"])


def test_a_list_of_what_cannot_wait_may_grow(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_LOOK", 0.0)
    first = tmp_path / "first.txt"
    first.write_text("")
    names = sources.first(sources.source_of(str(archive)), str(first))
    assert [next(names), next(names)] == NAMES[:2]
    with first.open("a") as file:
        file.write("c/film.mp4\nc/b")  # the second line has not ended
    assert [next(names), next(names)] == ["c/film.mp4", NAMES[2]]
    with first.open("a") as file:
        file.write("ad.jpg\n")
    assert next(names) == "c/bad.jpg"


def test_a_list_a_pattern_and_a_file_are_judged_too(archive, tmp_path, monkeypatch):
    listed = tmp_path / "names.txt"
    listed.write_bytes(b"\xef\xbb\xbf" + f"{archive}/b/2.jpg\r\n\n{archive}/c/bad.jpg\n{archive}/b/2.jpg".encode())
    done = run(archive, tmp_path, images=str(listed), out=str(tmp_path / "l.jsonl"))
    assert names_in(tmp_path / "l.jsonl") == [f"{archive}/b/2.jpg", f"{archive}/c/bad.jpg"]
    assert done.again == 1
    for number, (pattern, expected) in enumerate({
        "*.png": NAMES[:3], "b/*.jpg": NAMES[4:6], "**/*.[mj]p[4g]": [*NAMES[4:9]], "c/film.mp4": ["film.mp4"],
    }.items()):  # fmt: skip
        out = tmp_path / f"{number}.jsonl"
        run(archive, tmp_path, images=f"{archive}/{pattern}", out=str(out))
        assert names_in(out) == [name.removeprefix("b/") if pattern.startswith("b/") else name for name in expected]
    for wrong in (str(archive / "gone.jpg"), f"{archive}/*.tif", f"{archive}/gone/*.jpg"):
        with pytest.raises(InputError, match=r"^images: "):
            run(archive, tmp_path, images=wrong, out=str(tmp_path / "none.jsonl"))
    assert not (tmp_path / "none.jsonl").exists()


def test_names_from_a_pipe_are_judged_as_they_come(archive, tmp_path, monkeypatch):
    """Each record is in the file before the next name is written."""
    read, write = os.pipe()
    out, written = tmp_path / "r.jsonl", threading.Event()

    class Told(Stub):
        def verdicts(self, files, **how):
            yield from super().verdicts(files, **how)
            written.set()  # the record before was taken

    def news():
        for number in range(3):
            written.clear()
            os.write(write, f"{number}.jpg\0".encode())
            assert written.wait(60)
        os.close(write)

    told = threading.Thread(target=news)
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        told.start()
        done = run(archive, tmp_path, Told(), images="-")
        told.join()
        with pytest.raises(InputError, match="priority: names from standard input"):
            run(archive, tmp_path, images="-", priority="*.jpg")
    assert names_in(out) == ["0.jpg", "1.jpg", "2.jpg"]
    assert done.judged == 3


def test_the_exit_code_says_what_happened(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verdicts, "screener", lambda model, **how: Stub())
    flags = ["screen", "--model=stub", f"--out={tmp_path / 'r.jsonl'}"]
    assert screen.main([*flags, f"--images={archive}"]) == 3
    out, err = capsys.readouterr()
    assert "9 files:" in out
    assert "1 with an error" in out
    assert "left out 1 file that ends in '.txt'" in err
    assert screen.main([*flags, f"--images={archive}"]) == 3  # nothing is left to do, and it is still said
    assert "9 files, 9 of them before" in capsys.readouterr().out
    assert screen.main([*flags, f"--images={archive / 'b'}"]) == 2
    assert screen.main([*flags[:2], f"--images={archive / 'b'}", f"--out={tmp_path / 'b.jsonl'}"]) == 0


def test_a_folder_that_is_closed_stops_nothing_and_is_named(archive, tmp_path, monkeypatch):
    opened = os.scandir

    def closed(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    monkeypatch.setattr(os, "scandir", closed)

    class Broken(Stub):
        def verdicts(self, files, *, root, workers=2):
            for file in files:
                yield from super().verdicts([root / "bad"] if file == root / "b" else [file], root=root)

    run(archive, tmp_path, Broken())
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [each["file"] for each in found] == [*NAMES[:3], "b/", *NAMES[6:]]
    assert found[3]["error"]["message"].startswith("the folder cannot be read")


def test_a_folder_that_a_list_names_is_not_said_to_be_closed(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(archive)
    (tmp_path / "list.txt").write_text("bad/\n")
    (archive / "bad").mkdir()
    run(archive, tmp_path, images=str(tmp_path / "list.txt"))
    assert json.loads((tmp_path / "r.jsonl").read_text())["error"]["message"] == "it is broken"


def test_folders_may_lie_deeper_than_python_calls_itself(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "a.png").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        found = list(walking.walk(str(tmp_path)))
    finally:
        sys.setrecursionlimit(limit)
    assert found == ["d/" * 200 + "a.png"]


def test_a_pipe_that_breaks_ends_the_work():
    def some():
        yield "a"
        raise OSError(5, "Input/output error")

    together = names.as_they_come(some(), most=2)
    assert next(together) == ["a"]
    with pytest.raises(OSError, match="Input/output"):
        next(together)


@pytest.mark.parametrize(("parts", "expected"), [
    ([b"a", b"\0b\nc\0"], ["a", "b\nc"]),
    ([b"\xef\xbb\xbfa", b"b\nc"], ["ab", "c"]),
    ([b"a\r"], ["a"]),
])  # fmt: skip
def test_what_ends_a_name_may_come_after_it(monkeypatch, parts, expected):
    left = iter([*parts, b""])
    monkeypatch.setattr(os, "read", lambda descriptor, most: next(left))
    assert list(names.read_names(0)) == expected


def test_what_no_pattern_and_no_number_can_be_is_said_or_taken(archive, tmp_path, monkeypatch):
    for changes in ({"images": f"{archive}/[z-a]*"}, {"priority": "[z-a]*"}):
        with pytest.raises(InputError, match="no pattern"):
            run(archive, tmp_path, **changes)
    assert sorted(["9" * 5000, "10", "9"], key=walking.natural) == ["9", "10", "9" * 5000]
    assert sources._grown(str(tmp_path / "taken away"), 7) == ([], 7)
