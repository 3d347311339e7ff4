"""The curve figures: what they read, what they draw, what they refuse."""

import json

import numpy as np
import pytest
from PIL import Image

from metaforge.errors import InputError
from paper_figures import loss_curves, validation_curves
from paper_figures._runs import find_runs, read_curves


def write(folder, learner, values, column="query_loss"):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"learner": {"name": learner}}))
    rows = [json.dumps({"step": 10 * n, column: value}) for n, value in enumerate(values, 1)]
    (folder / "log.jsonl").write_text("\n".join(rows) + "\n" + '{"step": 99, "torn')


def test_runs_of_one_learner_are_its_seeds(tmp_path):
    write(tmp_path / "a", "maml", [3.0, 2.0])
    write(tmp_path / "b", "maml", [5.0, 4.0])
    write(tmp_path / "c", "daml", [1.0, 0.5])
    curves = read_curves(find_runs(f"{tmp_path}/a, {tmp_path}/[bc], {tmp_path}/a"), "query_loss")
    steps, values = curves["maml"]
    np.testing.assert_array_equal(steps, [10, 20])
    np.testing.assert_array_equal(values, [[3.0, 2.0], [5.0, 4.0]])
    np.testing.assert_array_equal(curves["daml"][1], [[1.0, 0.5]])


@pytest.mark.parametrize(("figure", "column"), [(loss_curves, "query_loss"), (validation_curves, "val_accuracy")])
def test_a_figure_is_drawn_and_the_same_data_give_the_same_bytes(tmp_path, figure, column):
    write(tmp_path / "a", "maml", [0.6, 0.7, 0.8], column)
    write(tmp_path / "b", "daml", [0.5, 0.7, 0.9], column)
    for name in ("one.png", "two.png"):
        assert figure.main(["figure", f"--runs={tmp_path}/*", f"--out={tmp_path / 'out' / name}"]) == 0
    image = np.asarray(Image.open(tmp_path / "out" / "one.png").convert("RGB"))
    colours = {tuple(colour) for colour in image.reshape(-1, 3)[::3]}
    assert {(0, 114, 178), (213, 94, 0)} <= colours  # MAML's blue and DAML's orange
    assert (tmp_path / "out" / "one.png").read_bytes() == (tmp_path / "out" / "two.png").read_bytes()


def test_any_setting_may_tell_curves_apart(tmp_path, capsys):
    for name, value in (("through", 3.0), ("normalised", 5.0)):
        write(tmp_path / name, "fomaml", [value])
        (tmp_path / name / "config.json").write_text(json.dumps({"learner": {"name": "fomaml", "weighting": name}}))
    curves = read_curves(find_runs(f"{tmp_path}/*"), "query_loss", by="learner.weighting")
    assert {name: values.item() for name, (_, values) in curves.items()} == {"through": 3.0, "normalised": 5.0}
    flags = [f"--runs={tmp_path}/*", f"--out={tmp_path}/x.png", "--learners=all"]
    assert loss_curves.main(["figure", *flags, "--by=learner.weighting"]) == 0
    assert "normalised, through" in capsys.readouterr().out
    assert loss_curves.main(["figure", *flags, "--by=colour"]) == 2
    assert "no setting 'colour'" in capsys.readouterr().err


def test_missing_runs_columns_and_mixed_settings_are_one_line(tmp_path, capsys):
    assert loss_curves.main(["figure", f"--runs={tmp_path}/none*", f"--out={tmp_path}/x.png"]) == 2
    assert "no run matches" in capsys.readouterr().err
    write(tmp_path / "a", "maml", [1.0])
    with pytest.raises(InputError, match="no 'val_accuracy' yet"):
        read_curves([tmp_path / "a"], "val_accuracy")
    write(tmp_path / "b", "maml", [1.0, 2.0])
    with pytest.raises(InputError, match="different steps"):
        read_curves(find_runs(f"{tmp_path}/*"), "query_loss")
