"""Tri-training inside meta-training: `--objective.name=fakeradar`, at a tiny size."""

import json

import jax
import numpy as np
import pytest
import scipy.special

from metaforge import runs
from metaforge.adaptation import selection
from metaforge.errors import InputError
from metaforge.screening import from_run, load_detector, save_detector
from metaforge.settings import change
from metaforge.training import build, meta_test, meta_train, probing
from tests.experiments.conftest import TINY

TRI = change(
    TINY,
    {
        "objective.name": "fakeradar",
        "model.neck": 4,
        "model.head": "quadratic",
        "objective.outliers": 4,
        "objective.refresh_every": 4,
        "run.baseline": False,
    },
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tri") / "daml"
    meta_train.run(TRI, folder, quiet=True)
    return folder


def rows_of(folder):
    return [{k: v for k, v in row.items() if k not in ("seconds", "data_wait")} for row in runs.read_rows(folder)]


def state_of(folder):
    return runs.restore(folder, jax.eval_shape(lambda: probing.initial(TRI)))


def test_the_log_has_every_part_and_the_clusters_of_every_class(finished):
    rows = rows_of(finished)
    # Refreshed before steps 5 and 9, so in the rows up to step 6 and step 10.
    assert [row["step"] for row in rows if "clusters" in row] == [6, 10]
    last = rows[-1]
    assert {"loss/contrastive", "loss/cls", "weight/cls", "outliers_taken_for_real", "query_accuracy"} <= set(last)
    assert rows[0]["loss/contrastive"] == 0 < last["loss/contrastive"]
    assert set(rows[4]) >= {"clusters/real", "clusters/warp", "clusters/smooth", "clusters/swap", "calibration"}
    assert rows[4]["clusters"] == sum(rows[4][f"clusters/{name}"] for name in ("real", "warp", "smooth", "swap"))


def test_an_interrupted_run_goes_on_to_the_same_bits_clusters_and_all(finished, tmp_path, monkeypatch):
    whole = runs.Run.log

    def dies(run, row):
        whole(run, row)
        if row["step"] == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs.Run, "log", dies)
    with pytest.raises(KeyboardInterrupt):
        meta_train.run(TRI, tmp_path / "daml", quiet=True)
    monkeypatch.setattr(runs.Run, "log", whole)
    meta_train.run(TRI, tmp_path / "daml", quiet=True)
    jax.tree.map(np.testing.assert_array_equal, state_of(tmp_path / "daml"), state_of(finished))
    assert rows_of(tmp_path / "daml") == rows_of(finished)


def test_a_rule_that_diverges_is_the_worst_and_not_the_end(finished, monkeypatch):
    params, records = from_run.load_run(finished).params, build.records(TRI, split="validation")
    free = change(TRI, {"adapt.lr": 0.0, "adapt.steps": 1})
    monkeypatch.setattr(selection, "FACTORS", (0.1, 1e30))
    found = meta_test.choose_rule(free, params, records)
    assert [row["auc"] > 0 for row in found["tried"]] == [True, False]
    assert found["rate"] == pytest.approx(0.1 * TRI.learner.inner_lr)
    monkeypatch.setattr(selection, "FACTORS", (1e30,))
    with pytest.raises(InputError, match="every rate and number of steps diverged"):
        meta_test.choose_rule(free, params, records)


def test_the_bank_has_as_many_of_each_method_as_of_real_faces():
    records = build.records(TRI, split="train")
    bank = probing.bank(TRI, records)
    counts = np.bincount(bank.kind)
    assert len(counts) == 4
    assert counts.max() == counts.min()
    from metaforge.data.pools import pool

    np.testing.assert_array_equal(pool(records).label[bank.rows], np.minimum(bank.kind, 1))


def test_its_detector_scores_outliers_as_forged_and_survives_the_disk(finished, tmp_path):
    trained = from_run.load_run(finished)
    detector = from_run.detector(trained)
    assert (detector.spec.num_classes, detector.spec.neck, detector.spec.head) == (3, 4, "quadratic")
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    logits = np.asarray(jax.jit(build.model(TRI).apply)(detector.params, images, context=detector.context).logits)
    np.testing.assert_allclose(detector(images), 1 - scipy.special.softmax(logits, axis=1)[:, 0], atol=1e-5)
    save_detector(tmp_path / "saved", detector)
    np.testing.assert_array_equal(load_detector(tmp_path / "saved")(images), detector(images))
    assert json.loads((finished / "report.json").read_text())["adaptation"]["steps"] == 2
