"""A backup is of one moment and becomes the same service again, whatever the database; what is not whole is refused."""

import hashlib
import io
import itertools
import json
import os
import shutil
import tarfile
import threading
from pathlib import Path

import pytest

from metaforge.cli import backup as backup_command
from metaforge.cli import restore as restore_command
from metaforge.errors import InputError
from metaforge.serving import remembered
from metaforge.serving.backup import archive, making, manifest, pruning, restoring
from metaforge.serving.databases import VARIABLE, rows_of, sqlite_url
from metaforge.serving.options import Options
from metaforge.serving.storage import Storage
from tests.screening.verdicts.test_record import FILE
from tests.serving.conftest import Running, picture
from tests.serving.postgres import PASSWORD
from tests.serving.test_storage import SAID

ABOUT = {"id": "x", "name": "x", "sha256": "1" * 64, "fitted_on": "", "image_size": 16, "crop": "whole",
         "thresholds": {}, "limits": [], "regions": False}  # fmt: skip
ASKED = {"shots": 3, "name": "phones", "force": False, "crops": True}


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def files_in(folder):
    """All that is in a folder, by hash, but for what the database is."""
    found = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*") if path.is_file()}
    return {name: digest(path) for name, path in found.items() if not name.startswith(("service.sqlite", "settings"))}


def add_adapter(storage, state, network, *, name="phones"):
    """An adapter that was made: its row and its files."""
    sha256 = digest(network)
    row = storage.add_adapter(who="ann", name=name, asked=ASKED, images={"real": 3, "fake": 3, "unlabelled": 0})
    own = state / "adapters" / row["id"]
    (own / "detector").mkdir(parents=True)
    (own / "detector" / "config.json").write_text(json.dumps({"of": row["id"]}))
    shutil.copy(network, own / f"{sha256}.onnx")
    storage.change_adapter(row["id"], state="done", ended="2026-01-02T03:04:05Z", sha256=sha256, about=ABOUT,
                           report={"decision": {"saved": "adapted", "pays": True}, "ü": 0.1})  # fmt: skip
    return row["id"]


def filled(state, network, *, url="", half_made=True, **options):
    """The state of a service: feedback, of which the last is deleted, and adapters made, asked for and failed."""
    state.mkdir(parents=True)
    storage = Storage(url or sqlite_url(state / "service.sqlite"))
    for note in ("a", "ü\n", "c"):
        storage.add_feedback(**SAID | {"note": note, "verdict": FILE.as_json() if note == "c" else None, "face": 1})
    assert storage.drop_feedback(storage.add_feedback(**SAID)["id"])
    add_adapter(storage, state, network)
    half = {"report": {"half": "made"}, "sha256": "2" * 64, "about": ABOUT} if half_made else {}
    storage.add_adapter(who=None, name="waits", asked=ASKED, images={"real": 1}, **half)
    failed = storage.add_adapter(who=None, name="", asked=ASKED, images={"real": 1})
    storage.change_adapter(failed["id"], state="failed", ended="2026-01-02T03:04:06Z", error="No.")
    remembered.remember(Options(model=str(network), state=str(state), rate=7, **options), digest(network), rows_of(url))
    return storage


@pytest.fixture
def state(tmp_path, tiny_model):
    filled(tmp_path / "state", tiny_model, tokens="secret-tokens.txt").close()
    return tmp_path / "state"


@pytest.fixture
def tar(state, tmp_path):
    making.make(tmp_path / "backup.tar", state=state)
    return tmp_path / "backup.tar"


@pytest.mark.parametrize(("source", "target"), itertools.product(("sqlite", "postgresql"), repeat=2))
def test_a_restored_state_is_the_same_whatever_the_databases(
    request, tmp_path, tiny_model, monkeypatch, source, target
):
    state, new, tar = tmp_path / "state", tmp_path / "new", tmp_path / "backup.tar"
    url = lambda kind: "" if kind == "sqlite" else request.getfixturevalue("postgres").url()
    at = lambda name: monkeypatch.setenv(VARIABLE, name)
    at(first := url(source))
    before = filled(state, tiny_model, url=first, tokens="secret-tokens.txt")
    made = making.make(tar, state=state)
    assert not [
        secret
        for secret in (PASSWORD, "hunter2", "secret-tokens", str(tmp_path))
        if secret.encode() in tar.read_bytes()
    ]
    assert tar.stat().st_mode & 0o77 == 0
    at(second := url(target))
    done = restoring.restore(tar, state=new, sha256=made.sha256)
    after = Storage(second or sqlite_url(new / "service.sqlite"))
    assert after.feedback() == before.feedback()
    rows = {row["name"]: row for row in after.adapters()}
    half = {row["name"]: row for row in before.adapters()}
    assert rows == half | {"waits": half["waits"] | {"report": None, "sha256": None, "about": None}}
    assert [*rows] == [*half]
    assert after.add_feedback(**SAID)["id"] == 5  # 4 was somebody's
    for each in (before, after):
        each.close()
    ours = files_in(state) | {f"model/{tiny_model.name}": digest(tiny_model)}
    assert files_in(new) == ours
    assert new.stat().st_mode & 0o77 == 0
    assert done.command == f"metaforge serve --model={new}/model/{tiny_model.name} --state={new} --rate=7 --tokens=FILE"
    assert done.tokens
    # What was restored can be backed up in its turn, and is the same again.
    again = making.make(tmp_path / "again.tar", state=new)
    same = lambda found: {part for part in found.parts if part.name not in ("feedback.jsonl", "settings.json")}
    assert same(again) == same(made)


def test_a_folder_is_kept_with_all_that_is_in_it(tmp_path, tiny_model):
    detector = tmp_path / "det ector"
    (detector / "deep").mkdir(parents=True)
    for name in ("config.json", "deep/ü.bin"):
        (detector / name).write_text(name)
    state = tmp_path / "state"
    filled(state, tiny_model).close()
    making.make(tmp_path / "b.tar", state=state, model=str(detector))
    restoring.restore(tmp_path / "b.tar", state=tmp_path / "new")
    assert files_in(tmp_path / "new" / "model") == {
        f"det ector/{name}": sha for name, sha in files_in(detector).items()
    }
    # Other programs read it, too.
    with tarfile.open(tmp_path / "b.tar") as found:
        listed = found.extractfile("manifest.sha256").read().decode().split()
        assert listed == [hashlib.sha256(found.extractfile("manifest.json").read()).hexdigest(), "manifest.json"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_of_one_moment_while_people_write(request, tmp_path, tiny_model, monkeypatch, kind):
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres").url()
    monkeypatch.setenv(VARIABLE, url)
    state, stopped, wrote = tmp_path / "state", threading.Event(), threading.Semaphore(0)
    storage = filled(state, tiny_model, url=url)
    failures = []

    def write():
        try:
            while not stopped.is_set():
                # In pairs: of one moment there are never more than one without its other.
                storage.add_feedback(**SAID | {"note": "first"})
                storage.add_feedback(**SAID | {"note": "second"})
                made = add_adapter(storage, state, tiny_model, name="passing")
                storage.drop_adapter(made)
                shutil.rmtree(state / "adapters" / made)
                wrote.release()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            assert wrote.acquire(timeout=60)
            making.make(tmp_path / f"{number}.tar", state=state)
    finally:
        stopped.set()
        writer.join()
        storage.close()
    assert not failures
    monkeypatch.setenv(VARIABLE, "")
    for number in range(3):
        new = tmp_path / f"new{number}"
        restoring.restore(tmp_path / f"{number}.tar", state=new)
        found = Storage(sqlite_url(new / "service.sqlite"))
        rows = found.feedback(limit=100_000)
        assert [row["id"] for row in rows[3:]] == list(range(5, 5 + len(rows) - 3))
        notes = [row["note"] for row in rows[3:]]
        assert notes == ["first", "second"] * (len(notes) // 2) + ["first"] * (len(notes) % 2)
        for row in found.adapters():
            if row["state"] == "done":
                own = new / "adapters" / row["id"]
                assert json.loads((own / "detector" / "config.json").read_text()) == {"of": row["id"]}
                assert digest(own / f"{row['sha256']}.onnx") == row["sha256"]
        found.close()


def test_an_adapter_that_goes_meanwhile_is_in_no_backup(state, tmp_path, tiny_model, monkeypatch):
    storage, really, gone = Storage(sqlite_url(state / "service.sqlite")), archive.write, []

    def write(*arguments):
        """Deletes one when the others are being written: first its files are found missing, then only its row."""
        if len(gone) < 2:
            name = storage.adapters()[0]["id"] if not gone else add_adapter(storage, state, tiny_model)
            storage.drop_adapter(name)
            if not gone:
                shutil.rmtree(state / "adapters" / name)
                storage_left = add_adapter(storage, state, tiny_model, name="next")
                gone.append(storage_left)
                return really(*arguments)
            storage.drop_adapter(gone[0])
            gone.append(name)
        return really(*arguments)

    monkeypatch.setattr(archive, "write", write)
    made = making.make(tmp_path / "b.tar", state=state)
    assert len(gone) == 2
    assert not [part for part in made.parts if part.name.startswith("adapters/")]
    storage.close()


def test_an_adapter_whose_files_go_before_they_are_listed_is_in_no_backup(state, tmp_path, monkeypatch):
    storage, really, gone = Storage(sqlite_url(state / "service.sqlite")), making._below, []

    def below(path, name, *, flag):
        """Deletes it when its row is read and its files are not."""
        if flag == "state" and not gone:
            gone.append(path.name)
            storage.drop_adapter(path.name)
            shutil.rmtree(path)
            path.mkdir()  # a deletion that has come so far
        return really(path, name, flag=flag)

    monkeypatch.setattr(making, "_below", below)
    making.make(tmp_path / "b.tar", state=state)
    restoring.restore(tmp_path / "b.tar", state=tmp_path / "new")
    found = Storage(sqlite_url(tmp_path / "new" / "service.sqlite"))
    assert gone
    assert not {*gone} & {row["id"] for row in found.adapters()}
    found.close()
    storage.close()


def test_files_that_are_missing_are_said(state, tmp_path):
    shutil.rmtree(next((state / "adapters").iterdir()))
    making.make(tmp_path / "b.tar", state=state)  # the row alone is left, as the service knows
    (state / "models").mkdir()
    os.remove(state / "service.sqlite")
    with pytest.raises(InputError, match=r"has no service\.sqlite"):
        making.make(tmp_path / "c.tar", state=state)
    assert not (state / "service.sqlite").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "state"]


def refused(path, tmp_path, match="", **how):
    """Holds that a backup is refused in one line, and that nothing is left of it."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=match) as caught:
        restoring.restore(path, state=tmp_path / "new", **how)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_byte_that_is_another_a_cut_and_an_addition_are_refused(tar, tmp_path):
    data = tar.read_bytes()
    bad = tmp_path / "bad.tar"
    for place in [*range(0, 600, 7), *range(600, len(data), 211), len(data) - 1]:
        bad.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        refused(bad, tmp_path, "is damaged|none that this program reads")
    for length in [0, 1, 511, 512, 513, 2048, *range(3000, len(data), 1999), len(data) - 1]:
        bad.write_bytes(data[:length])
        refused(bad, tmp_path, "is damaged|none that this program reads")
    bad.write_bytes(data + bytes(512))
    refused(bad, tmp_path, "goes on after its end")


FORGED = {"settings.json": b"", "feedback.jsonl": b"", "adapters.jsonl": b"", "model/m.onnx": b"m"}


def forged(path, parts, **changes):
    """A backup with right hashes, by another than us."""
    data = with_parts() if parts is None else [*parts]
    listed = tuple(manifest.Part(name, len(held), hashlib.sha256(held).hexdigest()) for name, held in data)
    said = manifest.Manifest("2026-01-01T00:00:00Z", "1", "s", 1, 0, listed)._replace(**changes)
    with open(path, "w+b") as file:
        waiting = iter(data)
        archive.write(file, said, lambda name: io.BytesIO(next(waiting)[1]))
    return path


def with_parts(**more):
    """The parts of a good one, and others for some of them."""
    sha256 = hashlib.sha256(b"m").hexdigest()
    own = {"settings.json": json.dumps({"model": "model/m.onnx", "model_sha256": sha256}).encode()}
    return [*(FORGED | own | {f"{name}.jsonl": data for name, data in more.items()}).items()]


def test_what_is_forged_well_is_taken(tmp_path):
    restoring.restore(forged(tmp_path / "f.tar", None), state=tmp_path / "new")
    assert (tmp_path / "new" / "model" / "m.onnx").read_bytes() == b"m"


@pytest.mark.parametrize("name", ["../out", "/etc/out", "model/../../out", "model//m", "model/./m",
                                  "adapters/x/../../y",
                                  "model\\..\\x", "model/\x1b[2J", "models/../x.onnx", "service.sqlite", "tokens",
                                  "spool/x",
                                  "adapters/0123456789abcdeg/detector/x", "adapters/0123456789abcdef",
                                  "manifest.json"])  # fmt: skip
def test_a_name_that_no_service_writes_is_refused(tmp_path, name):
    path = forged(tmp_path / "f.tar", [*with_parts(), (name, b"x")])
    refused(path, tmp_path, "which no (backup holds|service keeps)")


@pytest.mark.parametrize(("parts", "match"), [
    ([*with_parts(), ("model/m.onnx", b"m")], "names a part twice"),
    ([*with_parts(), ("model/m.onnx/x", b"m")], "a folder, too"),
    ([*with_parts(), ("model/other", b"m")], "has not what its settings call `model`"),
    ([*with_parts(), ("weights/w", b"m")], "has not what its settings call `weights`"),
    (with_parts()[:1] + with_parts()[2:], r"has no feedback\.jsonl"),
    (with_parts()[:-1], "has not what its settings call `model`"),
    ([("settings.json", b"{}"), *with_parts()[1:]], "none that a service wrote"),
    ([("settings.json", b'{"model": "model/m.onnx", "port": "x"}'), *with_parts()[1:]], "none that a service wrote"),
    ([("settings.json", b'{"model": "model/m.onnx", "port": 99999}'), *with_parts()[1:]], "port"),
    ([("settings.json", b'{"model": "../../etc/passwd"}'), *with_parts()[1:]], "has not what its settings call"),
    ([("settings.json", b'{"model": "model/m.onnx", "model_sha256": "0"}'), *with_parts()[1:]], "the detector in"),
    (with_parts(feedback=b"{}\n"), r"line 1 of feedback\.jsonl is no row"),
    (with_parts(feedback=b"[" * 100_000), r"line 1 of feedback\.jsonl is no row"),
    (with_parts(feedback=b"\x80\x04."), r"line 1 of feedback\.jsonl is no row"),
])  # fmt: skip
def test_what_does_not_fit_together_is_refused(tmp_path, parts, match):
    refused(forged(tmp_path / "f.tar", parts), tmp_path, match)


ADAPTER = {"id": "0123456789abcdef", "number": 1, "created": "2026-01-01T00:00:00Z", "ended": None, "who": None,
           "name": "", "state": "done", "asked": ASKED, "images": {}, "report": {"a": 1}, "error": None,
           "sha256": "0" * 64, "about": {"regions": False}}  # fmt: skip


@pytest.mark.parametrize("change", [{"id": "../../x"}, {"id": "0123456789abcdeg"}, {"sha256": "../x"}, {"sha256": None},
                                    {"state": "odd"}, {"about": None}, {"about": []}, {"report": None}, {"asked": []},
                                    {"images": 3}, {"number": "1"}, {"number": 2**31}, {"name": "a" * 101},
                                    {"name": "\0"}, {"who": ["a"]}, {"more": 1}])  # fmt: skip
def test_an_adapter_that_no_service_wrote_is_refused(tmp_path, change):
    line = lambda row: json.dumps(row).encode() + b"\n"
    restoring.restore(forged(tmp_path / "f.tar", with_parts(adapters=line(ADAPTER))), state=tmp_path / "good")
    path = forged(tmp_path / "f.tar", with_parts(adapters=line(ADAPTER | change)))
    refused(path, tmp_path, "no row of this program|no service wrote")
    twice = with_parts(adapters=line(ADAPTER) * 2)
    refused(forged(tmp_path / "f.tar", twice), tmp_path, "rows that the database does not take")


def test_another_version_is_refused(tmp_path, monkeypatch):
    refused(forged(tmp_path / "f.tar", None, schema=2), tmp_path, "rows of version 2, and this program reads 1")
    monkeypatch.setattr(manifest, "VERSION", 2)
    path = forged(tmp_path / "f.tar", None)
    monkeypatch.setattr(manifest, "VERSION", 1)
    refused(path, tmp_path, "is of version 2, and this program reads 1")


def test_a_part_longer_than_the_file_costs_nothing(tmp_path):
    path = forged(tmp_path / "f.tar", None)
    said = archive.read_manifest(path)
    huge = tuple(part._replace(bytes=8**11 - 1) if part.name == "model/m.onnx" else part for part in said.parts)
    with open(path, "w+b") as file, pytest.raises(InputError):
        archive.write(file, said._replace(parts=huge[::-1]), lambda name: io.BytesIO(b"m"))
    refused(path, tmp_path, "which no backup holds|is damaged")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE,
                                  tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, b"7"])  # fmt: skip
@pytest.mark.parametrize("place", ["first", "last"])
def test_links_devices_and_holes_are_refused(tar, tmp_path, kind, place):
    odd = tarfile.TarInfo("model/link")
    odd.type, odd.linkname = kind, "/etc/passwd"
    data, head = tar.read_bytes(), odd.tobuf(tarfile.USTAR_FORMAT)
    end = len(data.rstrip(b"\0")) + 511 & ~511
    (tmp_path / "odd.tar").write_bytes(head + data if place == "first" else data[:end] + head + data[end:])
    refused(tmp_path / "odd.tar", tmp_path, "is damaged|none that this program reads")


def test_another_backup_than_was_asked_for_is_refused(tar, tmp_path):
    refused(tar, tmp_path, "another backup than the one of this hash", sha256="0" * 64)


def test_nothing_is_overwritten(tar, state, tmp_path):
    before = digest(tar), files_in(state)
    with pytest.raises(InputError, match="exists already"):
        making.make(tar, state=state)
    with pytest.raises(InputError, match="exists already"):
        restoring.restore(tar, state=state)
    assert (digest(tar), files_in(state)) == before


def test_of_a_backup_that_fails_nothing_is_left(state, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "verify", fail)
    with pytest.raises(OSError, match="No space"):
        making.make(tmp_path / "b.tar", state=state)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_database_with_rows_is_left_alone_and_one_that_was_filled_in_vain_is_emptied(
    tar, tmp_path, postgres, monkeypatch
):
    url = postgres.url()
    storage = Storage(url)
    monkeypatch.setenv(VARIABLE, url)

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_onto_disk", fail)
        with pytest.raises(OSError, match="No space"):
            restoring.restore(tar, state=tmp_path / "new")
    assert (storage.feedback(), storage.adapters(), (tmp_path / "new").exists()) == ([], [], False)
    storage.add_feedback(**SAID)
    refused(tar, tmp_path, "has rows already")
    assert len(storage.feedback()) == 1
    storage.close()


def test_the_database_and_the_detector_are_those_of_the_service(state, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/other.sqlite")
    with pytest.raises(InputError, match=r"keeps its rows in 'service\.sqlite' in its folder"):
        making.make(tmp_path / "b.tar", state=state)
    assert not (tmp_path / "other.sqlite").exists()
    monkeypatch.delenv(VARIABLE)
    other = tmp_path / "tiny.onnx"
    other.write_bytes(tiny_model.read_bytes() + b" ")
    settings = json.loads((state / "settings.json").read_text()) | {"model": str(other)}
    (state / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="no longer the detector"):
        making.make(tmp_path / "b.tar", state=state)
    (state / "settings.json").unlink()
    with pytest.raises(InputError, match="Name it with --model"):
        making.make(tmp_path / "b.tar", state=state)
    making.make(tmp_path / "b.tar", state=state, model=str(tiny_model))


def test_only_old_backups_of_this_state_are_pruned(state, tmp_path):
    folder = tmp_path / "backups"
    names = [pruning.name_at(f"2026-01-0{day}T00:00:00Z") for day in range(1, 6)]
    for name in names:
        making.make(folder / name, state=state)
    other = [folder / pruning.name_at(f"2025-01-0{day}T00:00:00Z") for day in range(1, 5)]
    forged(other[0], None)  # of another service
    other[1].write_bytes(b"no backup")
    other[2].symlink_to(folder / names[4])
    other[3].mkdir()
    shutil.copy(folder / names[0], folder / "precious.tar")
    gone = pruning.prune(folder, state=state, keep=2)
    assert [path.name for path in gone] == names[:3]
    assert {path.name for path in folder.iterdir()} == {*names[3:], "precious.tar", *(path.name for path in other)}


def test_the_commands(state, tmp_path, capsys):
    folder = tmp_path / "backups"
    call = lambda command, *flags: (command.main(["metaforge", *flags]), capsys.readouterr())
    code, said = call(backup_command, f"--state={state}", f"--folder={folder}", "--keep=3")
    assert code == 0, said.err
    (made,) = folder.iterdir()
    sha256 = archive.read_manifest(made).sha256
    assert said.out.splitlines()[0] == f"SHA-256 of its manifest: {sha256}"
    code, said = call(restore_command, f"--backup={made}", f"--state={tmp_path / 'new'}", f"--sha256={sha256}")
    assert (code, said.err) == (0, "")
    assert "--tokens=FILE" in said.out
    for command, *flags in [
        (backup_command, f"--state={state}"), (backup_command, f"--state={state}", "--out=a", "--folder=b"),
        (backup_command, f"--state={state}", f"--out={tmp_path / 'c'}", "--keep=2"),
        (backup_command, f"--state={tmp_path / 'nowhere'}", f"--out={tmp_path / 'c'}"),
        (restore_command, f"--backup={made}", f"--state={tmp_path / 'other'}", "--sha256=5b"),
        (restore_command, f"--backup={state / 'settings.json'}", f"--state={tmp_path / 'other'}"),
        (restore_command, f"--backup={state}", f"--state={tmp_path / 'other'}"),
    ]:  # fmt: skip
        code, said = call(command, *flags)
        assert (code, said.err.count("\n")) == (2, 1)
    assert not {"c", "other"} & {path.name for path in tmp_path.iterdir()}


def test_the_service_answers_as_before_from_what_was_backed_up_while_it_ran(tmp_path, tiny_model):
    options = Options(model=str(tiny_model), state=str(tmp_path / "state"), port=0, workers=1, image_mb=1, video_mb=1)
    said = {}
    filled(tmp_path / "state", tiny_model, half_made=False).close()
    for turn in ("before", "after"):
        service = Running(options)
        try:
            remembered.remember(options, service.service.served.sha256, "")
            ask = lambda service=service, **fields: service.post(
                "/v1/predict", files={"file": ("a.png", picture())}, data=fields
            ).json()
            listed = service.get("/v1/adapters").json()["adapters"]
            done = [each["id"] for each in listed if each["state"] == "done"]
            verdicts = [ask()["verdict"], ask(model=done[0])["verdict"]]
            for each in verdicts:
                each.pop("time", None)
            said[turn] = [verdicts, done, service.get("/v1/feedback").json(), service.get("/v1/models").json()]
            if turn == "before":
                making.make(tmp_path / "b.tar", state=options.state)
                restored = restoring.restore(tmp_path / "b.tar", state=tmp_path / "new")
                found = dict(word[2:].split("=", 1) for word in restored.command.split() if word.startswith("--"))
                options = Options(**vars(options) | {"model": found["model"], "state": found["state"]})
        finally:
            service.stop()
            service.service.storage.close()
    assert said["after"] == said["before"]
    assert said["before"][0][0]["model"]["sha256"] == digest(tiny_model)
