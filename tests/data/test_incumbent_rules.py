"""What a widely used harness does wrong once the lists are made, and that it is not done here.

Each test restates the harness's rule in a few lines of our own, and shows that it fails where ours holds. Of its other
slips, those in listing data sets are in `catalogues/test_incumbent_defects.py`, that of taking the first frames in
`tests/experiments/test_prepare.py`, and those of its video metric in `tests/evaluation/test_video_level.py`.
"""

import numpy as np
import pytest
from PIL import Image

from metaforge.data.domains import by_method
from metaforge.data.episodes import EpisodeSampler
from metaforge.data.files import ImageFiles
from metaforge.data.records import Records
from metaforge.errors import InputError
from metaforge.evaluation.metrics import accuracy, auc


def four_to_one():
    """FaceForensics++ in small: of every person a real video and four fakes."""
    methods = ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    rows = [(person, method) for person in range(12) for method in methods]
    return Records.from_columns(
        image=np.zeros((len(rows), 4, 4, 3), np.uint8),
        label=[int(method != "real") for _, method in rows],
        method=[method for _, method in rows],
        video=[f"{method}/{person}" for person, method in rows],
        identity=[str(person) for person, _ in rows],
    )


def test_defect_7_four_fakes_to_a_real_are_not_trained_on_unbalanced():
    records = four_to_one()
    incumbent = np.random.default_rng(0).choice(len(records), 400)  # a batch is whatever is drawn
    assert records.label[incumbent].mean() > 0.7
    domains = by_method(records)
    sampler = EpisodeSampler(domains, seed=0, tasks=4, shots=2, queries=3)
    for index in range(5):
        rows = sampler(index)
        assert domains.label[rows.support].mean() == domains.label[rows.query].mean() == 0.5
    # A detector that calls everything fake looks good by its accuracy there, and is chance by what is reported here.
    always = np.ones(len(records))
    assert accuracy(records.label, always) == pytest.approx(0.8)
    assert auc(records.label, always) == 0.5


def test_defect_8_an_image_that_cannot_be_read_does_not_become_another_one(tmp_path):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"broken")

    def incumbent(index):
        try:
            return np.asarray(Image.open(tmp_path / f"{index}.png"))
        except OSError:
            return incumbent(0)

    assert incumbent(1)[0, 0].tolist() == [200, 0, 0]  # a fake's pixels under a real one's label, say
    with pytest.raises(InputError, match=r"1\.png"):
        np.asarray(ImageFiles(["0.png", "1.png"], root=tmp_path, size=8))
