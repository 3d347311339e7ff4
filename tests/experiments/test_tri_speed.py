"""What tri-training costs: that it is measured in turn, and reported with what is needed to repeat it."""

import json

from experiments.fakeradar import speed as tri_speed
from experiments.fakeradar.config import Config


def test_programs_take_turns_within_a_round():
    order = []
    found = tri_speed.paired({name: lambda name=name: order.append(name) for name in ("a", "b")}, 3)
    assert order == (["a"] * 10 + ["b"] * 10) * 3
    assert all(len(times) == 3 and min(times) >= 0 for times in found.values())


def test_the_report_has_ratios_a_command_and_a_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(
        tri_speed, "Config", lambda **options: Config(**(options | {"width": 4, "neck": 4, "slots": 5}))
    )
    monkeypatch.setattr(tri_speed, "refresh", lambda mode: {"seconds": 1.0, "clusters": 5, "calibration": 1.0})
    out = tmp_path / "speed.json"
    assert tri_speed.main(["speed", f"--out={out}", "--rounds=1", "--size=16", "--conv4=false"]) == 0
    report = json.loads(out.read_text())
    for one in report["steps"].values():
        assert one["ratio"]["low"] <= one["ratio"]["value"] <= one["ratio"]["high"]
        assert one["full_ms"] > 0 < one["binary_ms"]
    assert set(report["refresh"]) == {"safe", "literal"}
    assert "--size=16" in report["command"]
    assert report["provenance"]["commit"]
