"""The page on one file, in a browser, against a service that asks for a token: every state and every error."""

import hashlib
import http.client
import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image
from skimage import data

from metaforge.data.embedded_faces import whole_photographs
from metaforge.data.face_crops import largest_crop
from metaforge.evaluation.calibration import Bands, Calibration, Judge, Spread
from metaforge.screening.portable import save_onnx
from metaforge.screening.verdicts import FileVerdict, screener
from metaforge.serving.guarding.headers import POLICY
from metaforge.serving.options import Options
from tests.data.clips import face_clip
from tests.serving.conftest import SIZE, Running, picture, tiny_detector

TOKEN = "a-token-of-tests-that-nobody-guesses"
SPREAD = Spread((0.0, 0.2, 0.6), (0.4, 0.8, 1.0), 0.95, 5)


def jpeg(pixels):
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=95)
    return held.getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A detector in ONNX that calls the three photographs real, cannot tell and fake, in the order of its logits."""
    folder, plain = tmp_path_factory.mktemp("model"), tiny_detector(crop="ffpp")
    save_onnx(folder / "plain.onnx", plain)
    score = screener(str(folder / "plain.onnx")).detector.examine
    logits = {
        name: float(score(largest_crop(image, size=SIZE, crop="ffpp")[0].image[None])[0][0])
        for name, image in photographs().items()
    }
    order = sorted(logits, key=logits.get)
    low, middle, high = (logits[name] for name in order)
    # The middle one is at 0.5, and the others are far from it.
    scale = 4 / min(high - middle, middle - low)
    bands = Bands(0.3, 0.7, {"allowed": {"fpr": 0.05, "fnr": 0.1}, "groups": {"one": {}, "two": {}}})
    judge = Judge(Calibration(scale, -scale * middle), bands, None, SPREAD)
    path = folder / "small.onnx"
    save_onnx(path, plain._replace(about=plain.about | {"calibration": judge.as_json()}))
    return path, dict(zip(("real", "cannot tell", "fake"), order, strict=True))


def photographs():
    return {f"{name}.jpg": image for name, image in {"astronaut": data.astronaut(), **whole_photographs()}.items()}


@pytest.fixture(scope="module")
def files(model):
    """Pictures by what is to be said of them."""
    pictures = {name: jpeg(image) for name, image in photographs().items()}
    found = {decision: (name, pictures[name]) for decision, name in model[1].items()}
    two = np.zeros((512, 1024, 3), np.uint8)
    two[:, :512], two[:, 512:] = data.astronaut(), next(iter(whole_photographs().values()))
    return found | {"two": ("two.jpg", jpeg(two)), "nobody": ("no one.png", picture())}


@pytest.fixture(scope="module")
def running(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "tokens").write_text(f"tests {TOKEN}\n")
    (folder / "tokens").chmod(0o600)
    options = Options(model=str(model[0]), state=str(folder / "state"), port=0, workers=1, image_mb=1, video_mb=1,
                      frames=3, tokens=str(folder / "tokens"))  # fmt: skip
    made = Running(options)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def library(model):
    return screener(str(model[0]))


def raw(running, path, **headers):
    """An answer to a path just as it stands; a client would tidy it."""
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def refused(running, name, content):
    """The service's own sentence on a file."""
    answer = running.post("/v1/predict", files={"file": (name, content)}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code >= 400
    return answer.json()["error"]["message"]


def test_the_page_is_handed_out_with_its_rules_and_kept_by_its_tag(running):
    status, headers, body = raw(running, "/")
    headers = {name.lower(): value for name, value in headers.items()}
    assert status == 200
    assert body.startswith(b"<!DOCTYPE html>")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"
    for path, kind in (("main.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")):
        status, headers, body = raw(running, f"/static/{path}")
        headers = {name.lower(): value for name, value in headers.items()}
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
        assert raw(running, f"/static/{path}", **{"If-None-Match": headers["etag"]})[::2] == (304, b"")
        assert raw(running, f"/static/{path}", **{"If-None-Match": '"another"'})[0] == 200


@pytest.mark.parametrize("path", [
    "../routes/page.py", "%2e%2e/routes/page.py", "..%2froutes%2fpage.py", "/etc/passwd", "//etc/passwd",
    "%2Fetc%2Fpasswd", "", ".", "main.js/", "./main.js", "main.js%00.css", "..\\routes\\page.py", "main.js%00",
    "a" * 4000,
])  # fmt: skip
def test_nothing_but_the_pages_files_is_handed_out(running, path):
    status, _, body = raw(running, f"/static/{path}")
    assert status in (404, 400)
    assert json.loads(body)["error"]["code"] in ("not_found", "bad_request")


def test_a_token_is_asked_for_and_kept_for_the_tab_alone(visit, files, running):
    page = visit()
    page.wait("#token", "Token of this service")
    said = running.get("/v1/models").json()["error"]["message"]
    assert page.text("#token-why") == said
    assert page.page.evaluate("() => document.activeElement.id") == "token-field"
    page.page.keyboard.type("a-token-that-is-wrong-but-long")
    page.page.keyboard.press("Enter")
    page.wait("#token-why", "was refused")
    page.page.fill("#token-field", "two words")
    page.press("Use this token")
    page.wait("#token-why", "one word")
    page.page.fill("#token-field", TOKEN)
    page.press("Use this token")
    page.page.locator("#token").wait_for(state="hidden")
    page.page.locator("#model option", has_text="small.onnx").wait_for(state="attached")
    assert page.page.locator("#model option").all_inner_texts() == ["small.onnx (this service's own)"]
    page.give(files["nobody"])
    page.wait(".verdict")
    kept = page.page.evaluate("() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie]")
    assert kept == [json.dumps({"metaforge-token": TOKEN}, separators=(",", ":")), "{}", ""]
    assert TOKEN not in page.page.content()


@pytest.mark.parametrize("decision", ["real", "cannot tell", "fake"])
def test_a_verdict_is_the_librarys_in_words_and_in_the_picture(visit, files, library, decision):
    name, content = files[decision]
    expected = library.verdict(content, name=name)
    (face,) = expected.faces
    assert expected.decision == decision
    page = visit(token=TOKEN)
    page.give((name, content))
    page.wait(".boxes")
    assert page.text("#result h2") == f"Verdict on {name}"
    assert page.text(".verdict").split(" ", 1)[1] == decision  # a sign goes before it
    assert page.text(".reason").rstrip(".").lower() == expected.reason.lower()
    assert page.text(".limits") == expected.limits
    told = page.text("section.face dl")
    assert f"{face.p_fake:.3f}" in told
    assert f"{face.band[0]:.2f} to {face.band[1]:.2f}" in told
    assert "not known for this detector" in told  # it has no familiarity
    label = page.page.locator("svg.scale").get_attribute("aria-label")
    assert label == (f"Probability {face.p_fake:.3f}, band {face.band[0]:.2f} to {face.band[1]:.2f}; real below 0.300, "
                     "fake above 0.700.")  # fmt: skip
    box = page.page.locator("rect.around").last
    drawn = [float(box.get_attribute(side)) for side in ("x", "y", "width", "height")]
    x0, y0, x1, y1 = face.box
    np.testing.assert_allclose(drawn, [x0, y0, x1 - x0, y1 - y0], atol=1e-6)
    # The frame lies over the picture, whatever the picture's size on the screen.
    image, frame = (page.page.locator(each).bounding_box() for each in (".frame img", ".boxes"))
    np.testing.assert_allclose([*image.values()], [*frame.values()], atol=1)
    details = page.text("#result details")
    assert expected.model.sha256 in details
    assert hashlib.sha256(content).hexdigest() in details
    assert "Content Credentials" in details
    assert "names no regions" in page.text(".regions")
    assert page.sideways() == 0


def test_the_dot_and_the_band_stand_where_the_numbers_are(visit, files, library):
    name, content = files["fake"]
    (face,) = library.verdict(content, name=name).faces
    page = visit(token=TOKEN)
    page.give((name, content))
    page.wait("svg.scale")
    at = lambda selector, side: float(page.page.locator(selector).first.get_attribute(side))
    left, wide = (
        at(".zone.real", "x"),
        at(".zone.real", "width") + at(".zone.cannot", "width") + at(".zone.fake", "width"),
    )
    assert (at(".dot", "cx") - left) / wide == pytest.approx(face.p_fake, abs=1e-6)
    assert [(at(".ink[y1='13']", side) - left) / wide for side in ("x1", "x2")] == pytest.approx(face.band, abs=1e-6)
    assert (at(".zone.fake", "x") - left) / wide == pytest.approx(0.7)
    assert at(".zone.real", "width") / wide == pytest.approx(0.3)


def test_a_map_is_asked_for_once_and_can_be_put_off_and_on(visit, files):
    page = visit(token=TOKEN)
    page.give(files["two"])
    page.wait(".boxes")
    assert page.page.locator("canvas").count() == 0
    page.press("Map of the score")
    page.wait("figure.map figcaption", "not where a face was forged")
    asked = page.asked("/v1/predict")
    assert len(asked) == 2
    answer = asked[1].response().json()
    assert len(answer["maps"]) == page.page.locator("canvas").count() == 2
    for place, each in enumerate(answer["maps"]):
        assert each["text"].rstrip(".") in page.page.locator("figure.map figcaption").nth(place).inner_text()
    # Red where the score falls most when a cell is covered, blue where it rises most.
    falls = np.array(answer["maps"][0]["falls"])
    row, column = (int(place) for place in np.unravel_index(abs(falls).argmax(), falls.shape))
    pixel = """([row, column]) => {
      const pen = document.querySelector("canvas").getContext("2d");
      return [...pen.getImageData(28 * column + 14, 28 * row + 14, 1, 1).data];
    }"""
    look = lambda: np.array(page.page.evaluate(pixel, [row, column]))
    page.page.wait_for_timeout(100)  # until the crop is drawn
    shown = look()
    assert (shown[0] > shown[2]) == (falls[row, column] > 0)
    assert abs(shown[0] - shown[2]) > 20
    button = page.page.get_by_role("button", name="Map of the score")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    page.wait("figure.map figcaption", "The map is off")
    page.page.wait_for_timeout(100)
    assert abs(look() - shown).max() > 20
    button.click()
    page.wait("figure.map figcaption", "not where a face was forged")
    assert len(page.asked("/v1/predict")) == 2
    assert page.page.evaluate("() => document.activeElement.dataset.toggle") == "map"


def test_evidence_is_asked_for_and_stands_in_a_table(visit, files):
    page = visit(token=TOKEN)
    page.give(files["fake"])
    page.wait(".boxes")
    page.press("Evidence")
    page.wait(".evidence table")
    record = page.asked("/v1/predict")[-1].response().json()["verdict"]
    (face,) = record["faces"]
    assert len(face["evidence"]) >= 3
    rows = page.page.locator(".evidence tbody tr").all_inner_texts()
    for row, each in zip(rows, face["evidence"], strict=True):
        assert row.split("\t")[:4] == [each["name"].replace("_", " "), each["text"], f"{each['score']:.2f}",
                                       f"{each['auc']:.2f}"]  # fmt: skip
    # What is handed out is the record, as it came.
    with page.page.expect_download() as caught:
        page.press("Download the record (JSON)")
    assert caught.value.suggested_filename == f"{record['file']}.verdict.json"
    kept = json.loads(caught.value.path().read_text(encoding="utf-8"))
    assert kept == record
    assert FileVerdict.from_json(kept).decision == "fake"


def test_no_face_is_no_verdict_and_no_map(visit, files):
    page = visit(token=TOKEN)
    page.give(files["nobody"])
    page.wait(".verdict", "cannot tell")
    assert page.text(".reason") == "No face was found."
    assert page.page.locator("section.face, svg.scale, .boxes").count() == 0
    assert page.page.get_by_role("button", name="Map of the score").count() == 0
    assert "no face: No face was found" in page.text("#result")


def test_every_error_is_said_in_the_services_own_sentence(visit, running, files):
    bad = {
        "broken.jpg": files["fake"][1][:2000], "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "empty.png": b"", "many.zip": b"PK\x03\x04" + bytes(40), "page.html": b"<!DOCTYPE html>",
        "large.jpg": files["fake"][1] + bytes(1 << 20),
    }  # fmt: skip
    page = visit(token=TOKEN)
    said = set()
    for name, content in bad.items():
        page.give((name, content))
        sentence = refused(running, name, content)
        page.wait("#problem", f"{name}: {sentence}")
        assert page.page.locator("#result").is_hidden()
        assert page.page.locator("#working").inner_text() == ""
        said.add(sentence)
    assert len(said) == len(bad)
    page.press("Close this message")
    assert page.page.locator("#problem").is_hidden()
    # After all of them a good file is judged.
    page.give(files["real"])
    page.wait(".verdict", "real")


def test_a_full_queue_is_waited_for_and_the_page_says_so(visit, running, files, monkeypatch):
    page = visit(token=TOKEN)
    with monkeypatch.context() as patch:
        patch.setattr(running.service.pool._queue, "_most", 0)
        page.give(files["fake"])
        page.wait(".working", "The file is being judged.")
        assert page.text("#result h2") == "Being judged"
        page.wait("#waiting", "Too many files wait already")
        assert re.search(r"Trying again in 1 s \(attempt \d of 8\)", page.text("#waiting"))
        assert "busy" in page.page.locator("#heard").text_content()
        # It can be called off.
        page.press("Stop")
        page.wait("#status", "Stopped")
        assert page.page.locator(".verdict").count() == 0
        assert page.page.locator("#waiting").is_hidden()
        refused = len(page.asked("/v1/predict"))
        page.give(files["real"])
        page.wait("#waiting", "Trying again")
    page.wait(".verdict", "real")
    assert page.page.locator("#waiting").is_hidden()
    statuses = [request.response().status for request in page.asked("/v1/predict")]
    assert (statuses[-1], set(statuses[:-1])) == (200, {429})
    assert len(statuses) > refused + 1


def test_without_a_connection_the_page_says_so_and_tries_again_when_told(visit, files):
    page = visit(token=TOKEN)
    page.context.set_offline(True)
    page.give(files["real"])
    page.wait("#problem", "did not answer")
    page.context.set_offline(False)
    page.press("Try again")
    page.wait(".verdict", "real")


def test_what_a_busy_service_left_out_is_said_and_what_was_there_stays(visit, running, files, monkeypatch):
    page = visit(token=TOKEN)
    page.give(files["real"])
    page.wait(".boxes")
    pool = running.service.pool
    with monkeypatch.context() as patch:
        patch.setattr(
            pool, "_policies", {lane: policy._replace(degrade=-1.0) for lane, policy in pool._policies.items()}
        )
        page.press("Map of the score")
        page.wait("#problem", "The service is busy, so no map was made. Ask again in a moment.")
    assert page.page.locator("canvas").count() == 0
    page.press("Map of the score")
    page.wait("canvas")


def test_a_video_has_a_verdict_of_its_people(visit, tmp_path):
    pytest.importorskip("av")
    clip = face_clip(tmp_path / "clip.mp4", frames=8, size=192).read_bytes()
    page = visit(token=TOKEN)
    page.give(("clip.mp4", clip))
    page.wait(".verdict")
    record = page.asked("/v1/predict")[0].response().json()["verdict"]
    assert record["kind"] == "video"
    assert f"{len(record['faces'])} person found" in page.text(".picture figcaption")
    assert page.page.locator("h3", has_text="Person 1").count() == 1
    assert page.page.get_by_role("button", name="Evidence").count() == 0  # it is measured in pictures alone


def test_files_are_dropped_and_pasted_and_addresses_are_not_fetched(visit, files):
    page = visit(token=TOKEN)
    give = """([kind, name, bytes]) => {
      const held = new DataTransfer();
      if (name) held.items.add(new File([new Uint8Array(bytes)], name));
      else held.setData("text/uri-list", "http://elsewhere.example/face.jpg");
      const how = { bubbles: true, cancelable: true };
      document.body.dispatchEvent(kind === "drop" ? new DragEvent("drop", { ...how, dataTransfer: held })
        : new ClipboardEvent("paste", { ...how, clipboardData: held }));
    }"""
    for kind in ("drop", "paste"):
        name, content = files["nobody"]
        page.page.evaluate(give, [kind, f"{kind} {name}", list(content)])
        page.wait("#result h2", f"Verdict on {kind} {name}")
        page.page.evaluate(give, [kind, "", []])
        page.wait("#problem", "This page fetches nothing")


def test_a_name_is_shown_and_never_run(visit, files):
    name = "<img src=x onerror=document.title='run'>\u202egpj.exe" + 80 * "long" + ".png"
    page = visit(token=TOKEN, viewport={"width": 360, "height": 740})
    page.give((name, files["nobody"][1]))
    page.wait("#result h2", "onerror=document.title")
    assert page.page.title() != "run"
    assert "\u202e" not in page.page.locator("body").text_content()
    assert page.page.locator("img[src=x]").count() == 0
    assert page.sideways() == 0


def test_all_of_it_can_be_done_by_keys_alone(visit, files):
    page = visit(token=TOKEN)
    page.wait("#model")
    keyboard, focused = page.page.keyboard, "() => document.activeElement.id || document.activeElement.textContent"
    reached = []
    for _ in range(6):
        keyboard.press("Tab")
        reached.append(page.page.evaluate(focused))
    assert reached == ["Skip to the content", "choose", "choose-folder", "model", "crops", "/openapi.json"]
    shown = "() => getComputedStyle(document.activeElement).outlineStyle"
    page.page.focus("#crops")
    page.page.keyboard.press("Shift+Tab")
    assert page.page.evaluate(shown) == "solid"
    page.page.focus("#choose")
    with page.page.expect_file_chooser() as caught:
        keyboard.press("Enter")
    name, content = files["fake"]
    caught.value.set_files({"name": name, "mimeType": "", "buffer": content})
    page.wait(".boxes")
    assert "Verdict: fake" in page.page.locator("#heard").text_content()
    page.page.focus("#crops")
    for name in (
        "Map of the score",
        "Evidence",
        "Download the record (JSON)",
        "The file, its origin, and the detector",
    ):
        keyboard.press("Tab")
        assert page.page.evaluate("() => document.activeElement.textContent") == name


COLOURS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [red, green, blue] = parts(colour).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0) return colour;
    }
    throw new Error("no ground");
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest(":disabled, svg")) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
    found.push([(other + 0.05) / (one + 0.05), walk.currentNode.textContent.trim()]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_that_is_seen_can_be_read(visit, files, scheme):
    page = visit(token=TOKEN, color_scheme=scheme)
    page.give(("empty.png", b""))
    page.wait("#problem", "Choose it again")
    shown = page.page.evaluate(COLOURS)
    page.give(files["two"])
    page.wait(".boxes")
    page.press("Map of the score")
    page.wait("canvas")
    shown += page.page.evaluate(COLOURS)
    assert len(shown) > 60
    assert [pair for pair in shown if pair[0] < 4.5] == []
    back = page.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert back == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}[scheme]


def test_nothing_moves_for_whoever_wants_no_motion(visit):
    turning = """() => {
      const made = document.body.appendChild(Object.assign(document.createElement("span"), { className: "turning" }));
      return getComputedStyle(made).animationName;
    }"""
    page = visit(reduced_motion="no-preference").page
    assert page.evaluate(turning) == "turn"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(turning) == "none"


def test_a_phone_shows_all_of_it_and_a_screen_reader_says_it(visit, files):
    page = visit(token=TOKEN, viewport={"width": 360, "height": 740})
    assert page.sideways() == 0
    page.give(files["two"])
    page.wait(".boxes")
    page.press("Map of the score")
    page.wait("canvas")
    page.press("Evidence")
    page.wait(".evidence table")
    assert page.sideways() == 0
    # Fingers need room.
    small = """() => [...document.querySelectorAll("button, select, summary")].filter((each) => each.checkVisibility()
      && each.getBoundingClientRect().height < 44).map((each) => each.textContent)"""
    assert page.page.evaluate(small) == []
    # And whoever hears it finds heads in their order, a name for everything, and what changes said.
    levels = page.page.evaluate("""() => [...document.querySelectorAll("h1, h2, h3, h4, h5")]
      .filter((each) => each.checkVisibility()).map((each) => Number(each.tagName[1]))""")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.page.locator("[role=status]").count() == 3
    assert page.page.locator("[role=alert]").count() == 1
    nameless = """() => [...document.querySelectorAll("button, input, select, svg[role=img], canvas, img")]
      .filter((each) => each.checkVisibility() && !(each.textContent.trim() || each.labels?.length || each.alt
      || each.ariaLabel)).length"""
    assert page.page.evaluate(nameless) == 0
    tree = page.page.locator("body").aria_snapshot()
    assert "- banner:" in tree
    assert "- main:" in tree
    assert "- contentinfo:" in tree
    assert 'rowheader "noise"' in tree  # a table stays one for a screen reader
