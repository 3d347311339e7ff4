"""A method that is trained at several inner rates is the one that source validation prefers, and says which."""

import dataclasses

import numpy as np
import pytest

from experiments.study import methods as study_methods
from experiments.study import results as study_results
from experiments.study import running as study
from metaforge.settings import change
from tests.experiments.test_study import CONFIG, OPTIONS


@pytest.fixture(scope="module")
def made(few_people_throughout, tmp_path_factory):
    """Three rates of which one cannot be trained with, in turn and chosen from; the folder, and the report."""
    folder, plain = tmp_path_factory.mktemp("study"), study_methods.METHODS["fomaml"]
    named = {
        "slow": study_methods._of("fomaml", inner_rate=0.1),
        "torn": study_methods._of("fomaml", inner_rate=1e30),
        "best": plain._replace(inner_rates=(1e30, 0.1, 1.0)),
        "none": plain._replace(inner_rates=(1e30, 1e31)),
    }
    study_methods.METHODS.update(named)
    options = dataclasses.replace(
        OPTIONS, workdir=str(folder), methods="fomaml,slow,torn,best,none", target="warp", shots="2"
    )
    yield folder, study.run(options, change(CONFIG, {"run.iterations": 8, "learner.outer_lr": 0.03}), quiet=True)
    for name in named:
        del study_methods.METHODS[name]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_tuned_cell_is_that_of_the_rate_with_the_highest_auc_on_source_validation(seed, made):
    results = {
        name: study_results.read_result(study_results.result_path(made[0], "warp", name, seed))
        for name in ("fomaml", "slow", "best")
    }
    reached = {name: max(row["auc"] for row in rows[0]["validation"]) for name, (rows, _) in results.items()}
    assert reached["fomaml"] != reached["slow"]
    better = max(("slow", "fomaml"), key=reached.__getitem__)
    assert results["best"][0] == results[better][0]
    np.testing.assert_array_equal(results["best"][1], results[better][1])
    assert results[better][0][0]["inner_lr"] == pytest.approx(0.01 if better == "slow" else 0.1)


def test_a_rate_that_cannot_be_trained_with_is_not_chosen_and_stops_nobody(made):
    failed = {(one["method"], one["seed"]) for one in made[1]["failed"]}
    assert failed == {("torn", 0), ("torn", 1), ("none", 0), ("none", 1)}


def test_the_report_says_which_rates_were_taken(made):
    folder, report = made
    taken = [
        study_results.read_result(study_results.result_path(folder, "warp", "best", seed))[0][0]["inner_lr"]
        for seed in (0, 1)
    ]
    said = [rule for rule in report["rules"] if "inner_lrs" in rule]
    assert [(rule["method"], rule["inner_lrs"]) for rule in said] == [("best", taken)]
    assert f"- best: {taken[0]:g} in {taken.count(taken[0])} of 2 results" in (folder / "report.md").read_text()


def test_a_tuned_method_trains_the_models_of_the_plain_one(made):
    models = {path.name for path in (made[0] / "warp" / "models").iterdir() if path.name.startswith("fomaml")}
    rates = ("", "-inner_rate=0.1", "-inner_rate=1e+30", "-inner_rate=1e+31")
    assert models == {f"fomaml{rate}-seed{seed}" for rate in rates for seed in (0, 1)}


def test_methods_that_share_a_model_are_made_by_one_process(made):
    """Two processes that train one model would be in each other's way, also where a third method links them."""
    groups = study._by_model(("fomaml", "slow", "erm", "fomaml:tuned", "erm+head", "maml"))
    assert groups == [("fomaml", "slow", "fomaml:tuned"), ("erm", "erm+head"), ("maml",)]
