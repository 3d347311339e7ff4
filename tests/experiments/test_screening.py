"""The study of many files: its links, and what it calls equal."""

from experiments.screening import running


def record(name, p_fake, decision="real"):
    return {"file": name, "p_fake": p_fake, "decision": decision, "faces": [{"p_fake": p_fake}]}


def test_two_screens_are_equal_as_far_as_their_records_are():
    first = {"a": record("a", 0.25), "b": record("b", None), "c": record("c", 0.5)}
    other = {"c": record("c", 0.5), "b": record("b", None), "a": record("a", 0.375)}
    assert running.compared(first, other) == {
        "same_files": True, "identical": 2, "identical_but_for_p_fake": 3, "largest_difference_of_p_fake": 0.125
    }  # fmt: skip
    found = running.compared(first, {"a": record("a", 0.25, "fake")})
    assert (found["same_files"], found["identical"], found["identical_but_for_p_fake"]) == (False, 0, 0)


def test_photographs_are_repeated_under_other_names(tmp_path):
    sources = [str(tmp_path / name) for name in ("a.jpg", "b.png")]
    for source in sources:
        with open(source, "w") as file:
            file.write(source)
    for _ in range(2):  # the second call finds them there
        running.linked(tmp_path / "links", sources, 3)
    found = sorted((tmp_path / "links").iterdir())
    assert [path.name for path in found] == ["0000000.jpg", "0000001.png", "0000002.jpg"]
    assert [path.read_text() for path in found] == [*sources, sources[0]]
