"""What a person may get wrong when training: one line, exit code 2, nothing lost."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from experiments import show_domains
from metaforge import runs
from metaforge.cli import predict, train
from metaforge.data import prepared as prepared_data
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.runs import directory
from metaforge.screening import from_run
from metaforge.settings import change
from metaforge.training import build, checks, meta_train
from metaforge.training.config import Config
from paper_figures import loss_curves
from tests.experiments import test_protocol
from tests.experiments.conftest import FLAGS, TINY


def faces(folder, count, broken=0):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(count):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(folder / f"{n}.png")
    for n in range(broken):
        (folder / f"broken{n}.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


def test_a_folder_of_faces_trains_and_names_the_files_it_skipped(tmp_path):
    config = change(
        TINY, {"faces.folder": str(faces(tmp_path / "faces", 60, broken=1)), "run.iterations": 2, "run.baseline": False}
    )
    report = meta_train.run(config, tmp_path / "run", quiet=True)
    assert [skip["path"] for skip in report["data"]["skipped_files"]] == ["broken0.jpg"]


@pytest.mark.parametrize(("count", "broken", "word"), [(0, 0, "no image"), (0, 2, "none of the 2"), (3, 0, "too few")])
def test_useless_folders_of_faces_are_one_line(tmp_path, capsys, count, broken, word):
    folder = faces(tmp_path / "faces", count, broken)
    assert train.main(["train", f"--workdir={tmp_path / 'run'}", *FLAGS, f"--faces.folder={folder}"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len([line for line in error if line.startswith("train:")]) == 1
    assert word in error[-1]


def test_a_missing_folder_of_faces_and_a_bad_identity_are_one_line(tmp_path, capsys):
    assert train.main(["train", f"--workdir={tmp_path / 'a'}", *FLAGS, f"--faces.folder={tmp_path / 'no'}"]) == 2
    assert str(tmp_path / "no") in capsys.readouterr().err
    folder = faces(tmp_path / "faces", 4)
    for pattern, word in (("(", "regular expression"), ("x", "finds no group")):
        flags = [f"--faces.folder={folder}", f"--faces.identity={pattern}"]
        assert train.main(["train", f"--workdir={tmp_path / 'b'}", *FLAGS, *flags]) == 2
        assert word in capsys.readouterr().err


def test_a_run_directory_of_another_configuration_is_left_alone(trained, capsys):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert train.main(["train", f"--workdir={trained}", *FLAGS, "--run.seed=5"]) == 2
    assert "seed: 0 there, 5 asked" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


@pytest.mark.parametrize(
    "changes", [{"run.devices": 0}, {"run.checkpoint_every": 2}, {"run.baseline": False}, {"faces.memory_gb": 1.0}]
)
def test_a_run_goes_on_with_other_settings_that_change_nothing_of_what_it_computes(trained, changes):
    report = meta_train.run(change(TINY, changes), trained, quiet=True)
    assert report == runs.read_json(trained / "report.json")


def test_a_full_disk_is_one_line(tmp_path, capsys, monkeypatch):
    def full(path, mode="r", **options):
        # /dev/full takes the call and refuses the bytes, as a full disk does.
        return open("/dev/full" if mode == "a" else path, mode, **options)

    monkeypatch.setattr(directory, "open", full, raising=False)
    assert train.main(["train", f"--workdir={tmp_path / 'run'}", *FLAGS, "--run.baseline=false"]) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]


def test_a_work_directory_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    assert train.main(["train", f"--workdir={tmp_path / 'file' / 'run'}", *FLAGS]) == 2
    assert "is not a folder" in capsys.readouterr().err.splitlines()[-1]


def test_a_checkpoint_that_cannot_be_written_is_one_line_and_the_earlier_ones_stay(tmp_path, monkeypatch, capsys):
    import orbax.checkpoint as ocp

    save, calls = ocp.CheckpointManager.save, []

    def full(self, step, *args, **kwargs):
        calls.append(step)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return save(self, step, *args, **kwargs)

    monkeypatch.setattr(ocp.CheckpointManager, "save", full)
    flags = ["train", f"--workdir={tmp_path / 'run'}", *FLAGS, "--run.baseline=false"]
    assert train.main(flags) == 2
    assert "cannot write the checkpoint" in capsys.readouterr().err.splitlines()[-1]
    assert runs.latest_step(tmp_path / "run") == 4
    monkeypatch.undo()
    assert train.main(flags) == 0
    assert runs.latest_step(tmp_path / "run") == TINY.run.iterations


def test_the_contact_sheet_shows_every_domain_and_overwrites_nothing(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    flags = ["--model.image_size=24", "--columns=2", f"--out={out}", "--faces.acquisitions=none,jpeg"]
    assert show_domains.main(["show_domains", *flags]) == 0
    with Image.open(out) as sheet:
        assert sheet.height == 16 + 16 * (64 + 6)  # a line of headings; eight methods, two acquisitions
    before = out.read_bytes()
    assert show_domains.main(["show_domains", *flags]) == 2
    assert out.read_bytes() == before


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    "flag",
    ["seed=-1", "split_seed=-1", "inner_steps=0", "finetune_steps=-1", "finetune_lr=-1", "outer_lr=nan",
     "outer_decay=0", "methods=warp,warp", "acquisitions=oops"],
)  # fmt: skip
def test_values_that_make_no_sense_are_one_line_before_anything_is_written(tmp_path, capsys, flag):
    assert train.main(["train", f"--workdir={tmp_path / 'run'}", *FLAGS, f"--{flag}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert flag.split("=")[0] in error


def test_a_run_does_not_go_on_with_other_images_than_it_began_with(tmp_path, monkeypatch):
    config = change(TINY, {"faces.folder": str(faces(tmp_path / "faces", 60)), "run.baseline": False})
    monkeypatch.setattr(runs.Run, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        meta_train.run(config, tmp_path / "run", quiet=True)
    monkeypatch.undo()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "faces" / "0.png")
    build._faces.cache_clear()
    build._domain.cache_clear()
    with pytest.raises(InputError, match="not those that the run in"):
        meta_train.run(config, tmp_path / "run", quiet=True)


@pytest.mark.parametrize("name", ["context.npz", "report.json", "config.json", "log.jsonl"])
def test_a_damaged_file_of_a_run_is_one_line(trained, tmp_path, name, capsys):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / name).write_text("[]\n[\n")
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(image)
    if name == "log.jsonl":
        code = loss_curves.main(["figure", f"--runs={tmp_path / 'run'}", f"--out={tmp_path / 'x.png'}"])
    else:
        code = predict.main(["predict", f"--model={tmp_path / 'run'}", f"--images={image}"])
    assert code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error


def test_a_finished_run_whose_last_checkpoint_is_gone_is_not_taken_for_finished(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / str(TINY.run.iterations))
    with pytest.raises(InputError, match="has not finished"):
        from_run.load_run(tmp_path / "run")
    meta_train.run(TINY, tmp_path / "run", quiet=True)
    assert runs.latest_step(tmp_path / "run") == TINY.run.iterations


@pytest.fixture
def prepared(tmp_path):
    """A prepared folder, and a configuration that trains on it."""
    test_protocol.draw_set(tmp_path, "set", ["m1", "m2"])
    yield tmp_path / "set", change(test_protocol.TINY, {"faces.prepared": str(tmp_path / "set")})
    prepared_data.opened.cache_clear()


def touched(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def state(folder, sha256):
    provenance = json.loads((folder / "provenance.json").read_text())
    (folder / "provenance.json").write_text(json.dumps(provenance | {"sha256": {"images": sha256}}))
    prepared_data.opened.cache_clear()


def edit(folder, old, new):
    text = (folder / "manifest.csv").read_text()
    assert old in text
    (folder / "manifest.csv").write_text(text.replace(old, new))
    prepared_data.opened.cache_clear()


def test_a_finished_run_is_an_answer_whatever_memory_is_allowed_and_not_for_other_data(prepared, tmp_path):
    folder, config = prepared
    tight = change(config, {"faces.memory_gb": 1e-9})
    with pytest.raises(InputError, match="`memory_gb` allows 1e-09"):
        meta_train.run(tight, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    report = meta_train.run(config, tmp_path / "run", quiet=True)
    before = touched(tmp_path / "run")
    assert meta_train.run(change(config, {"faces.memory_gb": 1.0}), tmp_path / "run", quiet=True) == report
    assert from_run.load_run(tmp_path / "run").config == config
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(folder / "frames" / "m1" / "0" / "0.png")
    prepared_data.opened.cache_clear()
    with pytest.raises(InputError, match=f"data: '{folder}': the images, or what is said of them"):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert touched(tmp_path / "run") == before


def test_a_run_knows_its_images_by_what_their_folder_states_and_by_what_is_said_of_each(prepared):
    folder, config = prepared
    known = lambda: build.identity_of(config, *checks.images(config))
    state(folder, "1")
    first = known()
    state(folder, "2")
    assert known() != first
    state(folder, "1")
    (folder / "frames" / "m1" / "0" / "0.png").unlink()  # a million files are not looked at again
    assert known() == first
    edit(folder, "set/0,", "set/9,")  # the same pictures, said to show somebody else
    assert known() != first


@pytest.mark.parametrize(
    ("split", "word"), [("train", "has no fake in its split 'train'"), ("validation", "split 'validation'")]
)
def test_a_split_that_is_empty_leaves_no_directory(prepared, tmp_path, split, word):
    folder, config = prepared
    edit(folder, f",{split},", ",test,")
    with pytest.raises(InputError, match=word):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_episodes_that_cannot_be_drawn_and_devices_that_are_not_there_leave_no_directory(prepared, tmp_path):
    _, config = prepared
    for changes, word in (({"episodes.shots": 50}, "real"), ({"run.devices": 99}, "`devices`=99: there are")):
        with pytest.raises(InputError, match=word):
            meta_train.run(change(config, changes), tmp_path / "run", quiet=True)
        assert not (tmp_path / "run").exists()


def test_a_baseline_s_directory_that_holds_something_else_is_said_before_anything_is_written(tmp_path):
    runs.Run(tmp_path / "run" / "erm", {"seed": 0})
    with pytest.raises(InputError, match="erm' holds a run of another configuration"):
        meta_train.run(TINY, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "config.json").exists()


def test_prepared_data_that_cannot_be_used_is_one_line_that_names_the_folder(prepared, tmp_path):
    folder, config = prepared
    with pytest.raises(InputError, match="data: ',' names no folder"):
        meta_train.run(change(config, {"faces.prepared": ","}), tmp_path / "run", quiet=True)
    (folder / "frames" / "m1" / "0" / "0.png").unlink()
    with pytest.raises(InputError, match=r"0.png' cannot be read .* the manifest of '.*set' names it"):
        meta_train.run(config, tmp_path / "run", quiet=True)
    lines = [line.split(",") for line in (folder / "manifest.csv").read_text().splitlines()]
    where = lines[0].index("split")
    text = "\n".join(",".join(word for place, word in enumerate(line) if place != where) for line in lines)
    (folder / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=r"data: '.*set': split: 72 of 72 images are in no split, the first 'frames"):
        meta_train.run(config, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_leading_methods_are_those_of_the_run_in_all_their_acquisitions(tmp_path):
    images = np.zeros((8, 4, 4, 3), np.uint8)
    records = Records.from_columns(
        image=images, label=[0, 1] * 4, domain=["swap/jpeg"] * 2 + ["swap"] * 2 + ["warp"] * 4,
        method=["", "swap", "", "swap", "", "warp", "", "warp"], identity=list("aabbccdd"),
    )  # fmt: skip
    leads = lambda text: checks.lead(change(Config(), {"episodes.lead": text, "faces.holdout": "smooth"}), records)
    assert leads("swap") == ["swap", "swap/jpeg"]
    assert leads("warp, swap") == ["warp", "swap", "swap/jpeg"]
    # Of a study every method is held out in turn, the leading one too.
    assert leads("smooth,warp") == ["warp"]
    assert leads("") == []
    with pytest.raises(InputError, match=r"--episodes.lead=splice: 'splice' is no source method"):
        leads("splice")
