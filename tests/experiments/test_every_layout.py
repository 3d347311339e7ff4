"""From every layout of the field, with real video files, to crops, splits and episodes; from two of them to a table."""

import functools
import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from experiments.protocol import running as protocol
from metaforge.data import preparing
from metaforge.data.domains import by_method, split
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.manifest import read_manifest
from metaforge.errors import InputError
from metaforge.evaluation import protocols
from metaforge.evaluation.protocols import Cell, Domains, Protocol
from metaforge.settings import change
from paper_figures import protocol_table
from tests.data.catalogues import trees
from tests.data.clips import face_clip, face_frames
from tests.experiments.test_protocol import TINY

LAYOUTS = {
    "faceforensics": (trees.faceforensics, {"methods": "Deepfakes,FaceSwap"}),
    "celeb_df": (trees.celeb_df, {}),
    "dfdc": (trees.dfdc, {}),
    "wild_deepfake": (trees.wild_deepfake, {}),
    "df40": (trees.df40, {}),
    "deeper_forensics": (trees.deeper_forensics, {}),
    "face_folder": (trees.face_folder, {}),
}


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Writes a moving face as the file asked for: H.264 at CRF 23 or 40, or a picture; a fake is the darker one."""
    folder = tmp_path_factory.mktemp("clips")

    @functools.cache
    def content(suffix, fake, crf):
        darker = (lambda frame: frame // 2) if fake else None
        if suffix == ".png":
            stream = io.BytesIO()
            Image.fromarray(face_frames(frames=1, fake=darker)[0]).save(stream, format="PNG")
            return stream.getvalue()
        return face_clip(folder / f"{fake}{crf}{suffix}", frames=4, crf=crf, fake=darker).read_bytes()

    def one(path, key, crf=23):
        fake = bool(key) and "/real/" not in key
        path.write_bytes(content(path.suffix, fake, 40 if "/c40/" in path.as_posix() else crf))

    return one


def prepared(name, root, out, write, **tree):
    draw, config = LAYOUTS[name]
    if name == "deeper_forensics":
        tree = {"ff_root": root.parent / "ff"}
        config = config | {"ff_root": str(root.parent / "ff")}
    draw(root, write, **tree)
    settings = {"frames": 2, "size": 16, "crop": "whole"} | config
    if "compression" in tree:
        settings["compression"] = tree["compression"]
    options = preparing.Options(dataset=name, source=str(root), out=str(out), workers=1)
    return preparing.run(options, preparing.Config(**settings), quiet=True)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_becomes_splits_domains_and_episodes(name, tmp_path, write):
    report = prepared(name, tmp_path / "source", tmp_path / "out", write)
    assert report["dropped"] == {}
    table = split(read_manifest(tmp_path / "out", size=16))
    assert all(len(part) for part in table)
    if name == "df40":  # it trains beside other sets: its own real videos are for testing
        with pytest.raises(InputError, match="has 0 real images"):
            EpisodeSampler(by_method(table.train), seed=0, tasks=2, shots=1, queries=1)
        return
    # A support and a query set that share nobody need two videos of a method.
    videos = {
        method: len(set(table.train.video[table.train.rows(method=method)])) for method in set(table.train.method)
    }
    train = by_method(table.train, sorted(method for method, count in videos.items() if count > 1 and method != "real"))
    # What is dark was forged, and is labelled so: labels are of the pictures, not only of the names.
    bright = np.asarray(train.image).mean(axis=(1, 2, 3))
    assert bright[train.label == 1].max() < bright[train.label == 0].min()
    rows = EpisodeSampler(train, seed=0, tasks=2, shots=1, queries=1)(0)
    assert np.bincount(train.label[rows.support.ravel()]).tolist() == [2, 2]
    scores = table.test.score(lambda images: 1 - images.mean(axis=(1, 2, 3)) / 255)
    assert scores[table.test.label == 1].min() > scores[table.test.label == 0].max()


def test_two_data_sets_become_a_table(tmp_path, write, monkeypatch):
    # Two pairs, so that an episode of source validation has one for each side.
    monkeypatch.setitem(trees.FF_PAIRS, "val", [("030", "031"), ("032", "033")])
    data = tmp_path / "faces"
    prepared("faceforensics", tmp_path / "ff", data / "faceforensics_c40", write, compression="c40")
    prepared("celeb_df", tmp_path / "celeb", data / "celeb_df", write)
    source, target = Domains("faceforensics_c40", ("Deepfakes", "FaceSwap")), Domains("celeb_df")
    small = Protocol("small", "from one to the other", (Cell("FF++", "Celeb-DF", source, target, shots=2, steps=1),))
    monkeypatch.setitem(protocols.PROTOCOLS, "small", small)
    options = protocol.Options(
        protocol="small", data_dir=str(data), workdir=str(tmp_path / "run"), seeds=1, draws=2, level="video"
    )
    report = protocol.run(options, change(TINY, {"model.image_size": 16}))
    (cell,) = report["cells"]
    assert cell["tested"] == {"images": 24, "videos": 12, "clusters": 6}
    assert {name for name, found in report["data"].items() if found["sha256"]["images"]} == {
        "celeb_df", "faceforensics_c40",
    }  # fmt: skip
    assert "| erm, adapted |" in protocol_table.markdown(report)
