"""The study: the same episodes for all, a file for every result, failures that stop nobody, a report that adds up."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import metaforge as mf
from experiments.study import data as study_data
from experiments.study import methods as study_methods
from experiments.study import report as study_report
from experiments.study import results as study_results
from experiments.study import rules as study_rules
from experiments.study import running as study
from experiments.study import tables as study_tables
from experiments.study.config import PRESETS, STUDY
from metaforge.commands import flags_of
from metaforge.errors import InputError
from metaforge.evaluation.episodes import Queries, episode_auc
from metaforge.evaluation.interval import Interval
from metaforge.settings import change
from metaforge.training import build

CONFIG = change(
    STUDY,
    {
        "model.image_size": 16,
        "model.width": 4,
        "model.convolution": "lax",
        "run.iterations": 4,
        "run.log_every": 2,
        "run.checkpoint_every": 4,
        "episodes.tasks": 2,
        "episodes.shots": 2,
        "episodes.queries": 3,
        "faces.variants": 2,
        "faces.methods": "smooth,resample,warp",
    },
)
OPTIONS = study.Options(
    study="shots_by_steps", methods="fomaml", target="smooth,warp", seeds=2, shots="1,2", steps="0,1",
    episodes=20, tuning=20, resamples=50, workers=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def broken():
    """A method whose outer steps are far too long."""
    study_methods.METHODS["broken"] = study_methods._of("fomaml", outer_optimizer="sgd", outer_lr=1e30)
    yield "broken"
    del study_methods.METHODS["broken"]


@pytest.fixture(scope="module")
def made(few_people_throughout, tmp_path_factory, broken):
    """A study with one method that fails, and its folder."""
    folder = tmp_path_factory.mktemp("study")
    options = dataclasses.replace(OPTIONS, workdir=str(folder), methods=f"{OPTIONS.methods},{broken}")
    return study.run(options, CONFIG, quiet=True), folder


def results(folder):
    paths = sorted(folder.rglob("results/*.npz"))
    return {str(path.relative_to(folder)): study_results.read_result(path) for path in paths}


def test_every_method_has_every_budget_on_every_target_and_on_their_mean(made):
    report, _ = made
    wanted = {(t, m, k, s) for t in ("smooth", "warp", "mean") for m in ("erm+finetune", "fomaml")
              for k in (1, 2) for s in (0, 1, "chosen")}  # fmt: skip
    assert {(row["target"], row["method"], row["shots"], row["steps"]) for row in report["rows"]} == wanted
    for row in report["rows"]:
        value, low, high = Interval.from_json(row["auc"])
        assert low <= value <= high
        assert ("minus_baseline" in row) == (row["method"] != "erm+finetune")


def test_the_numbers_are_those_of_the_results(made):
    report, folder = made
    rows, scores = zip(
        *(found for name, found in results(folder).items() if "warp/results/fomaml" in name), strict=True
    )
    labels = np.tile([0, 0, 0, 1, 1, 1], (20, 1))
    for number, row in enumerate(rows[0]):
        expected = np.mean([episode_auc(labels, one[number]) for one in scores])
        found = next(r for r in report["rows"] if (r["target"], r["method"], r["shots"], r["steps"])
                     == ("warp", "fomaml", row["shots"], row["steps"]))  # fmt: skip
        np.testing.assert_allclose(found["auc"]["value"], expected, rtol=1e-5)


def test_a_result_that_fails_is_reported_and_the_others_go_on(made):
    report, folder = made
    assert {(one["target"], one["seed"]) for one in report["failed"]} == {
        (t, s) for t in ("smooth", "warp") for s in (0, 1)
    }
    assert all(one["method"] == "broken" and "not finite at step" in one["failed"] for one in report["failed"])
    assert "broken, seed 0: the outer loss" in (folder / "report.md").read_text()
    assert "2 failed" in (folder / "table.md").read_text()


def test_a_study_that_was_cut_off_ends_like_one_that_was_not(made, tmp_path):
    _, folder = made
    # Killed while training: a model's checkpoint of half the way is there, and a result of another method.
    config = dataclasses.asdict(CONFIG)
    half = change(CONFIG, {"run.iterations": 2})
    options = dataclasses.replace(OPTIONS, workdir=str(tmp_path), target="warp", seeds=1)
    study.run(dataclasses.replace(options, methods="erm+finetune"), CONFIG, quiet=True)
    unit = study_results.Unit(str(tmp_path), "warp", 0, ("fomaml",), study._grid(options, 2), half)
    study_results.run_unit(unit)
    model = tmp_path / "warp" / "models" / "fomaml-seed0"
    (tmp_path / "warp" / "results" / "fomaml-seed0.npz").unlink()
    stored = json.loads((model / "config.json").read_text())
    assert stored["run"]["iterations"] == 2
    (model / "config.json").write_text(
        json.dumps(stored | {"run": stored["run"] | {"iterations": config["run"]["iterations"]}})
    )
    report = study.run(options, CONFIG, quiet=True)
    assert report["results_of_earlier_calls"] == 1
    assert "earlier ones had made 1 results" in (tmp_path / "report.md").read_text()
    whole, mended = results(folder), results(tmp_path)
    assert {name for name in mended if "fomaml" in name} == {"warp/results/fomaml-seed0.npz"}
    for name, (rows, scores) in mended.items():
        assert rows == whole[name][0]
        np.testing.assert_array_equal(scores, whole[name][1])


def test_support_and_query_share_nobody_and_budgets_are_nested():
    config = study_data.held_out(CONFIG, "warp")
    data = study_data.load(config)
    support = study_data.support_sets(config, data.support, shots=2, episodes=20)
    assert (data.support.label[support] == [0, 0, 1, 1]).all()
    np.testing.assert_array_equal(study_data.fewer(support, 1), support[:, [0, 2]])
    people = set(data.support.identity.tolist())
    assert not people & set(data.test.identity.tolist())
    assert not set(data.train.identity.tolist()) & (people | set(data.test.identity.tolist()))
    assert "warp" not in set(data.train.method.tolist()) | set(data.validation.method.tolist())
    assert set(data.support.method.tolist()) <= {"warp", "real"}


def test_what_was_chosen_was_the_best_on_source_validation(made):
    report, folder = made
    for rows, _ in results(folder).values():
        for row in rows:
            best = max(row["validation"], key=lambda tried: (round(tried["auc"], 6), -tried["steps"], -tried["knob"]))
            assert row["knob"] == best["knob"]
            assert row["chosen"] == (row["steps"] == best["steps"])
    assert len(report["rules"]) == 2 * 2 * 2


def test_the_sentence_says_who_wins_and_whether_that_is_significant(made):
    report, _ = made
    rows = [row for row in report["rows"] if row["target"] == "mean" and row["steps"] == "chosen" and row["shots"] == 2]
    best = max(rows, key=lambda row: row["auc"]["value"])
    sentence = next(line for line in report["verdict"] if line.startswith("With 2 images a class"))
    assert f"{best['method']} has the highest mean AUC over 2 held-out methods: {best['auc']['value']:.3f}" in sentence
    if "minus_baseline" in best:
        assert f"{Interval.from_json(best['minus_baseline']):+.3f}" in sentence
        assert ("difference is significant" in sentence) == (best["holm"] < 0.05)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": "daml,samml"}, "--methods: unknown 'samml'; known: erm"),
        ({"target": "shallowfake"}, "--target: unknown 'shallowfake'; known: smooth, resample, warp"),
        ({"target": "all,warp"}, "--target: unknown 'all'"),
        ({"shots": "1,x"}, "--shots='1,x': give whole numbers"),
        ({"steps": "-1"}, "--steps='-1': give whole numbers, at least 0"),
        ({"episodes": 30}, "--episodes=30: give a multiple of 20"),
        ({"shots": "500"}, "images of a class for support sets, 500 are asked for"),
        ({"seeds": 0}, "--seeds=0: give a whole number, at least 1"),
        ({"target": "warp,warp"}, "--target=warp,warp: names one twice"),
        ({"methods": "daml,daml"}, "--methods=daml,daml: names one twice"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(changes, said, tmp_path):
    options = dataclasses.replace(OPTIONS, workdir=str(tmp_path / "new"), **changes)
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        study.run(options, CONFIG, quiet=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("methods", "changes", "said"),
    [
        (
            "partial",
            {"model.normalisation": "none"},
            "'partial' cannot be had here .*no parameter's path has 'Normalise'",
        ),
        ("fomaml", {"episodes.lead": "wrap"}, "--episodes.lead: unknown 'wrap'; known: smooth"),
        ("fomaml", {"faces.prepared": "faces/ff"}, "--faces.prepared: a study forges its own domains"),
        ("fomaml", {"adapt.optimizer": "adam"}, "--adapt.optimizer=adam: a study takes steps of gradient"),
        ("fomaml", {"adapt.steps": 3}, "--adapt.steps=3: a study .* with --steps"),
        ("fomaml", {"adapt.rule": "discriminant"}, "--adapt.rule=discriminant: a study takes steps"),
        ("fomaml", {"episodes.queries": 500}, "real test images, and an episode asks for --episodes.queries=500"),
    ],
)
def test_what_does_not_fit_is_one_line_before_anything_is_written(methods, changes, said, tmp_path):
    options = dataclasses.replace(OPTIONS, workdir=str(tmp_path / "new"), methods=methods)
    with pytest.raises(InputError, match=said):
        study.run(options, change(CONFIG, changes), quiet=True)
    assert not (tmp_path / "new").exists()


def test_every_learner_of_what_adapts_can_be_had_with_the_preset_that_it_is_for():
    for name in study_methods.STUDIES["what_adapts"].methods:
        trained = study_methods.METHODS[name].trained(PRESETS["fine_tuned"])
        trained.check()
        assert trained.run.iterations > 0
        # Something of the network moves, so that learners differ.
        assert not trained.model.levels


def test_a_study_of_nothing_but_failures_says_so(tmp_path):
    options = dataclasses.replace(OPTIONS, workdir=str(tmp_path), methods="erm+finetune", target="warp", seeds=1)
    config = change(CONFIG, {"learner.outer_optimizer": "sgd", "learner.outer_lr": 1e30})
    report = study.run(options, config, quiet=True)
    assert [one["method"] for one in report["failed"]] == ["erm+finetune"]
    assert report["verdict"] == ["Nothing could be judged on warp: no method has a result of every seed."]
    assert "warp, erm+finetune, seed 0: the outer loss" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("target", ["mean", "warp"])
def test_holm_corrects_over_all_that_are_ranked_together(target):
    """Four methods at five shots, one of which takes no labels; at one shot two, and the same one."""
    chosen = {("a", 5): 0.001, ("b", 5): 0.02, ("c", 5): 0.03, ("none", 0): 0.012, ("a", 1): 0.04}
    rows = [{"target": target, "method": m, "shots": k, "steps": "chosen", "p": p} for (m, k), p in chosen.items()]
    rows += [{"target": target, "method": "a", "shots": 5, "steps": 1, "p": 1e-9}]
    single = [{"target": "swap", "method": "a", "shots": 5, "steps": "chosen", "p": 0.01}] if target == "mean" else []
    study_report.correct(rows + single, (1, 5))
    found = {(row["method"], row["shots"]): row["holm"] for row in rows[:-1]}
    # Of 0.001, 0.012, 0.02, 0.03 by Holm's rule: times 4, 3, 2, 1, never falling; of 0.012, 0.04: times 2, 1.
    expected = {("a", 5): 0.004, ("none", 0): 0.036, ("b", 5): 0.04, ("c", 5): 0.04, ("a", 1): 0.04}
    assert found == pytest.approx(expected)
    assert "holm" not in rows[-1]
    assert [row["holm"] for row in single] == [0.01] * len(single)


@pytest.mark.parametrize("targets", [("warp",), ("warp", "smooth")])
def test_what_adapting_is_worth_is_the_difference_to_a_model_that_saw_nothing_new(targets):
    """Scores that leave no doubt: `erm` is wrong about every image, one method about none, one has no opinion."""
    labels = np.tile([0, 0, 1, 1], (2, 20, 1)).astype(np.int32)
    queries = {name: Queries(labels, np.broadcast_to([0, 1, 0, 1], labels.shape)) for name in targets}
    right, wrong, tied = labels + 0.0, 1.0 - labels, np.full(labels.shape, 0.2)
    scores = {("erm", 0): wrong, ("erm+finetune", 5): tied, ("daml", 5): right, ("erm+head", 5): wrong}
    rows = {(method, shots, steps): one for (method, shots), one in scores.items() for steps in (1, "chosen")}
    found = study_report.measure(
        dict.fromkeys(targets, rows), queries, baseline="erm+finetune", shots=(5,), resamples=99
    )
    last = "mean" if len(targets) > 1 else targets[0]
    said = {row["method"]: row for row in found["rows"] if "minus_unadapted" in row}
    assert {(row["target"], row["steps"]) for row in said.values()} == {(last, "chosen")}
    assert {name: row["minus_unadapted"]["value"] for name, row in said.items()} == pytest.approx(
        {"erm+finetune": 0.5, "daml": 1.0, "erm+head": 0.0}
    )
    assert said["daml"]["minus_unadapted"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert said["daml"]["minus_baseline"]["value"] == pytest.approx(0.5)
    # Of 99 resamples p is 2/100 at least: times 3 of a family of three; what is not there has none.
    adjusted = {name: row["holm_unadapted"] for name, row in said.items()}
    assert adjusted == pytest.approx({"daml": 0.06, "erm+finetune": 0.06, "erm+head": 1.0})
    report = found | {"targets": list(targets), "grid": {"shots": (5,)}, "baseline": "erm+finetune"}
    said = " ".join(study_tables.verdict(report))
    assert (
        "It is +1.000 [+1.000, +1.000] above erm, which has seen no image of the held-out method. "
        "This difference is not significant (p 0.060 by Holm's rule over 3 comparisons)."
    ) in said
    assert "DAML differs from erm+finetune there by +0.500 [+0.500, +0.500]; the interval excludes zero." in said
    head, _, first, *_ = study_tables.chosen_table(report, 5)
    assert head.endswith(f"| minus erm+finetune ({last}) | Holm p | minus erm ({last}) | Holm p |")
    assert first.startswith("| daml |")
    assert first.endswith("| +1.000 [+1.000, +1.000] | 0.060 |")


def test_a_study_says_its_command_as_a_shell_takes_it():
    config = change(STUDY, {"faces.identity": r"(canada/\d+|(?<=/)\d+)"})
    assert flags_of(config, STUDY) == [r"'--faces.identity=(canada/\d+|(?<=/)\d+)'"]


@pytest.mark.parametrize("name", [name for name, one in study_methods.METHODS.items() if one.rule == "own"])
def test_what_a_learner_does_itself_is_done_by_the_learner_that_was_trained(name):
    """The program that judges it is compiled for a shortened configuration; it must be of the same learner."""
    method = study_methods.METHODS[name]
    config = method.trained(
        change(CONFIG, {"faces.holdout": "warp", "learner.temperature": 7.0, "learner.l2": 3.0, "run.seed": 1})
    )
    key = study_rules.program_key(config, "own")
    state = jax.eval_shape(build.learner(config).init, build.init_params(config))
    images = jax.random.randint(jax.random.key(0), (1, 4, 16, 16, 3), 0, 256).astype(np.uint8)
    params = jax.tree.map(lambda leaf: jax.random.normal(jax.random.key(1), leaf.shape, leaf.dtype), state.params)
    labels = np.array([[0, 1, 0, 1]], np.int32)
    found = study_rules.program(key, "own", (1,))(params, images[0], images, labels, images, 0.0)
    batch = mf.Batch(images[0], labels[0])
    adapted, _ = build.learner(config).adapt(params, batch)
    logits = build.model(config).apply(adapted, images[0], context=images[0]).logits
    np.testing.assert_allclose(found[0, 0], jax.nn.softmax(logits)[:, 1:].sum(-1), rtol=1e-4, atol=1e-6)


def test_half_the_rate_is_half_of_the_rate_that_the_others_have():
    config = change(CONFIG, {"learner.outer_optimizer": "sgd", "learner.outer_lr": 0.1})
    slow, plain = (study_methods.METHODS[name].trained(config) for name in ("uniform:half_rate", "uniform"))
    assert (slow.learner.outer_lr, plain.learner.outer_lr) == (0.05, 0.1)
    assert change(slow, {"learner.outer_lr": 0.1}) == plain


def test_five_times_as_long_is_of_what_the_others_take():
    config = change(CONFIG, {"run.iterations": 40})
    assert study_methods.METHODS["erm+finetune:long"].trained(config).run.iterations == 200
