"""The review of many files, in a browser: order, keys, undo, what the service keeps, what is handed out, adapting."""

import re

import httpx
import pytest

from metaforge.screening import save_detector
from metaforge.screening.reviewing.corrections import read_corrections
from metaforge.screening.verdicts import screener
from tests.serving.conftest import served
from tests.serving.detectors import adaptable, pictures

RANK = {"real": 0, "cannot tell": 1, "fake": 2}
SVG, BROKEN = b"<svg xmlns='http://www.w3.org/2000/svg'/>", pictures(1)[0][:60]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "small"
    save_detector(folder, adaptable())
    return folder


@pytest.fixture(scope="module")
def running(model, tmp_path_factory):
    yield from served(model, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def library(model):
    return screener(str(model), engine="onnx", crops=True)


@pytest.fixture
def review(visit, running):
    """Opens the page, gives it files that are crops, and waits until they are judged."""
    for each in running.get("/v1/feedback").json()["feedback"]:
        httpx.delete(f"{running.url}/v1/feedback/{each['id']}").raise_for_status()

    def open_review(files, **context):
        page = visit(**context)
        page.page.check("#crops")
        page.give(*files)
        page.wait("#review-counts", f"Judged {len(files)} of {len(files)} files")
        return page

    return open_review


def crops(count, **how):
    return [(f"{number}.png", data) for number, data in enumerate(pictures(count, **how))]


def listed(page):
    """The rows of the list: the file, the verdict, p(fake), and what was said."""
    return [row.split("\t") for row in page.page.locator("#review-list tbody tr").all_inner_texts()]


def shown(page):
    """The file that is looked at."""
    return page.text("#review-item h3").removeprefix("Verdict on ")


def kept(running):
    """What the service keeps, as the file's SHA-256 and the label."""
    return [(each["sha256"], each["label"]) for each in running.get("/v1/feedback").json()["feedback"]]


def settled(page, count):
    """Until the service has so many marks."""
    page.wait("#sent", f"{count} of {count} mark")


def test_the_most_suspicious_comes_first_and_a_bad_file_stops_none(review, library):
    files = crops(20)
    page = review([*files[:7], ("drawing.svg", SVG), ("broken.png", BROKEN), *files[7:]])
    verdicts = {name: library.verdict(data, name=name) for name, data in files}
    order = sorted(verdicts, key=lambda name: (RANK[verdicts[name].decision], verdicts[name].p_fake), reverse=True)
    rows = listed(page)
    assert [row[0] for row in rows] == order
    assert [row[1].split(" ", 1)[1] for row in rows] == [verdicts[name].decision for name in order]
    assert [row[2] for row in rows] == [f"{verdicts[name].p_fake:.3f}" for name in order]
    assert {row[3] for row in rows} == {"not yet"}
    assert shown(page) == order[0]
    assert "2 could not be judged" in page.text("#review-counts")
    broken, drawing = sorted(page.page.locator("#review-failed li").all_inner_texts())
    assert broken.startswith("broken.png: It is cut off")
    assert drawing == "drawing.svg: This is a drawing (SVG). Save it as JPEG or PNG."
    # In parcels, so that no request is large and the first verdicts come soon.
    sent = [len(request.response().json()["results"]) for request in page.asked("/v1/predict/batch")]
    assert sum(sent) == 22
    assert max(sent) <= 8
    assert page.sideways() == 0


def test_marks_by_keys_and_buttons_reach_the_service_and_can_be_taken_back(review, running, library):
    page = review(crops(5))
    names = [row[0] for row in listed(page)]
    digests = {name: library.verdict(data, name=name).sha256 for name, data in crops(5)}
    page.page.keyboard.press("f")
    page.press("Real R")
    assert page.page.evaluate("() => document.activeElement.id") == "mark-real"  # the button keeps the focus
    page.page.keyboard.press("s")
    page.page.fill("#note", "lit from two sides: r f s")  # these keys write, and mark nothing
    page.press("Fake F")
    settled(page, 4)
    said = [*zip(names, ("fake", "real", "skip", "fake"), strict=False)]
    assert [(row[0], row[3]) for row in listed(page)] == [*said, (names[4], "not yet")]
    assert kept(running) == [(digests[name], label) for name, label in said]
    rows = running.get("/v1/feedback").json()["feedback"]
    assert [row["note"] for row in rows] == ["", "", "", "lit from two sides: r f s"] or rows[3]["note"]
    assert shown(page) == names[4]
    page.page.locator("h2", has_text="Review").click()
    page.page.keyboard.press("u")
    settled(page, 3)
    assert shown(page) == names[3]
    assert page.page.input_value("#note") == "lit from two sides: r f s"
    assert kept(running) == [(digests[name], label) for name, label in said[:3]]
    assert "Taken back" in page.text("#status")
    # A mark is changed by going back to its file.
    page.page.get_by_role("button", name=names[0], exact=True).click()
    assert shown(page) == names[0]
    page.page.keyboard.press("r")
    settled(page, 3)
    assert sorted(kept(running)) == sorted((digests[name], label) for name, label in
                                           [(names[0], "real"), *said[1:3]])  # fmt: skip
    # No picture goes with a mark.
    bodies = [request.post_data for request in page.asked("/v1/feedback")]
    assert all(len(body) < 4000 and "base64" not in body and "PNG" not in body for body in bodies)


def test_keys_can_be_put_off(review, running):
    page = review(crops(2))
    page.page.uncheck("#keys")
    page.page.keyboard.press("r")
    page.page.check("#keys")
    page.page.keyboard.press("Control+f")
    assert {row[3] for row in listed(page)} == {"not yet"}
    page.page.keyboard.press("R")
    settled(page, 1)


def test_what_is_handed_out_is_what_metaforge_corrections_reads(review, tmp_path):
    page = review([*crops(4), crops(1, seed=9)[0]])  # two files of one name
    names = [row[0] for row in listed(page)]
    assert {"0.png", "0 (2).png"} < set(names)
    for key in "frsf":
        page.page.keyboard.press(key)
    saved = {}
    for button in ("Download what was reviewed (JSON lines)", "Download all verdicts (JSON lines)"):
        with page.page.expect_download() as caught:
            page.press(button)
        saved[caught.value.suggested_filename] = tmp_path / caught.value.suggested_filename
        caught.value.save_as(saved[caught.value.suggested_filename])
    found = read_corrections(str(saved["corrections.jsonl"]), str(saved["results.jsonl"]))
    assert found.left == []
    assert {(one.record["file"], one.truth) for one in found.kept} == {
        (names[0], "fake"), (names[1], "real"), (names[3], "fake")}  # fmt: skip
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one.time) for one in found.kept)


def test_a_folder_gives_its_files_with_their_places_in_it(review, visit, tmp_path):
    for name, data in crops(3):
        path = tmp_path / "pictures" / ("ann" if name < "2" else "bob") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "pictures" / ".DS_Store").write_bytes(b"of a system")
    page = visit()
    page.page.check("#crops")
    page.page.set_input_files("#folder", tmp_path / "pictures")
    page.wait("#review-counts", "Judged 3 of 3 files")
    assert {row[0] for row in listed(page)} == {"ann/0.png", "ann/1.png", "bob/2.png"}


def test_marks_that_cannot_be_sent_wait_and_are_sent_again(review, running):
    page = review(crops(2))
    page.context.set_offline(True)
    page.page.keyboard.press("f")
    page.wait("#sent", "1 could not be sent")
    assert kept(running) == []
    page.context.set_offline(False)
    page.press("Send again")
    settled(page, 1)
    assert [label for _, label in kept(running)] == ["fake"]
    assert page.page.locator("#send-again").is_hidden()


def test_a_review_that_is_called_off_goes_on_and_one_that_is_closed_asks_first(visit, running, monkeypatch):
    page = visit()
    page.page.check("#crops")
    with monkeypatch.context() as patch:
        patch.setattr(running.service.pool._queue, "_most", 0)
        page.give(*crops(3))
        page.wait("#review-counts", "Judged 0 of 3")
        page.press("Stop")
        page.wait("#problem", "3 of the files are not judged")
    page.press("Try again")
    page.wait("#review-counts", "Judged 3 of 3")
    # One more file joins the review.
    page.give(("more.png", pictures(1, seed=5)[0]))
    page.wait("#review-counts", "Judged 4 of 4")
    page.page.keyboard.press("r")
    asked = []
    page.page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.press("Close the review")
    assert "not in a file of yours" in asked[0]
    assert page.page.locator("#review").is_visible()
    page.page.once("dialog", lambda dialog: dialog.accept())
    page.press("Close the review")
    assert page.page.locator("#review").is_hidden()
    assert page.page.locator("#options").is_enabled()


def test_a_detector_is_adapted_on_what_was_reviewed_and_can_be_chosen(review, running):
    real, fake = pictures(12), pictures(12, seed=1, forged=True)
    files = [(f"real {number}.png", data) for number, data in enumerate(real)]
    files += [(f"fake {number}.png", data) for number, data in enumerate(fake)]
    page = review(files)
    page.press("Adapt on these")
    page.wait("#problem", "real: there is none")
    for _ in files:
        page.page.keyboard.press("r" if shown(page).startswith("real") else "f")
    settled(page, 24)
    assert "12 real pictures and 12 fake ones" in page.text("#adapt-counts")
    page.page.fill("#adapt-shots", "3")
    page.page.fill("#adapt-name", "called off")
    page.press("Adapt on these")
    page.wait("#adapter", "called off")
    page.press("Call it off")
    page.wait("#adapter", "It was called off.")
    page.page.fill("#adapt-name", "the studio")
    page.press("Adapt on these")
    page.wait("#adapter", "the studio")
    page.page.locator("#adapter", has_text="It is made.").wait_for(timeout=90_000)
    (made,) = [each for each in running.get("/v1/adapters").json()["adapters"] if each["state"] == "done"]
    assert made["message"] in page.text("#adapter")
    report = running.get(f"/v1/adapters/{made['id']}").json()["report"]
    auc = report["decision"]["auc"]
    assert f"[{auc['low']:+.3f}, {auc['high']:+.3f}]".replace("+0.000", "0.000") in page.text("#adapter")
    page.page.locator(f"#model option[value='{made['id']}']").wait_for(state="attached")
    page.page.once("dialog", lambda dialog: dialog.accept())
    page.press("Close the review")
    page.page.select_option("#model", made["id"])
    page.give(files[0])
    page.wait(".verdict")
    answer = page.asked("/v1/predict")[-1].response().json()
    models = {each["id"]: each for each in running.get("/v1/models").json()["models"]}
    assert answer["verdict"]["model"]["sha256"] == models[made["id"]]["sha256"] != models["default"]["sha256"]
    assert models[made["id"]]["sha256"] in page.text("#result details")
