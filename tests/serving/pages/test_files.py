"""The page's files by themselves: nothing foreign, nothing inline, modules of one idea, colours that can be read."""

import itertools
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("fastapi")

from metaforge.serving.guarding.headers import POLICY
from metaforge.serving.routes.page import FOLDER, TYPES, files

MODULES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.js"))}
STYLE = (FOLDER / "style.css").read_text(encoding="utf-8")
PAGE = (FOLDER / "index.html").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """The start tags of a page, as names and attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


ELEMENTS = Elements(PAGE).found


def test_every_file_has_a_type_and_is_handed_out():
    assert set(files()) == {path.name for path in FOLDER.iterdir()}
    assert {path.suffix for path in FOLDER.iterdir()} == set(TYPES)


def test_nothing_is_inline_and_nothing_comes_from_elsewhere():
    for tag, attributes in ELEMENTS:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name == "style" or name.startswith("on")], (tag, attributes)
        for name in ("src", "href", "action", "srcset"):
            assert attributes.get(name, "/").startswith(("/", "#")), (tag, attributes)
            assert not attributes.get(name, "/").startswith("//")
    for name, text in {**MODULES, "style.css": STYLE, "index.html": PAGE}.items():
        found = re.findall(r"""(?:https?:)?//[\w.-]+\.[a-z]{2,}""", text)
        assert found == (["http://www.w3.org"] if name == "dom.js" else []), name  # the name of SVG is no address
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_lets_only_this_service_run_and_show_anything():
    said = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
    assert said["default-src"] == "'none'"
    assert "unsafe" not in POLICY
    assert said["script-src"] == said["style-src"] == said["connect-src"] == "'self'"
    assert said["base-uri"] == said["form-action"] == said["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_says_what_it_is_and_imports_what_is_there(name):
    text = MODULES[name]
    assert text.startswith("/**\n * "), "it begins with what it is"
    assert text.count("\n") <= 200
    for names, source in re.findall(r"import \{([^}]+)\} from \"(.+?)\"", text):
        assert source.startswith("./")
        assert source[2:] in MODULES
        for each in (one.strip() for one in names.split(",")):
            assert not each or re.search(rf"export (async )?(function|class|const|let) {each}\b", MODULES[source[2:]])
            assert not each or len(re.findall(rf"\b{each}\b", text)) > 1, f"{each} is imported and not used"
    # What is made of texts goes in as text.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert "localStorage" not in text
    assert "document.cookie" not in text


def test_every_module_is_used():
    used = {found for text in [*MODULES.values()] for found in re.findall(r"\"\./(\w+\.js)\"", text)}
    used |= {attributes["src"].removeprefix("/static/") for tag, attributes in ELEMENTS if tag == "script"}
    assert used == set(MODULES)


def test_what_modules_look_for_is_in_the_page_once():
    ids = [attributes["id"] for _, attributes in ELEMENTS if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {found for text in MODULES.values() for found in re.findall(r"byId\(\"([\w-]+)\"", text)}
    assert wanted <= set(ids)


def test_every_field_has_a_label_and_every_section_a_name():
    labelled = {attributes.get("for") for tag, attributes in ELEMENTS if tag == "label"}
    ids = {attributes.get("id") for _, attributes in ELEMENTS}
    for tag, attributes in ELEMENTS:
        if tag in ("input", "select", "textarea", "progress"):
            assert attributes["id"] in labelled or attributes.get("aria-label"), attributes
        if tag == "section":
            assert attributes.get("aria-label") or attributes["aria-labelledby"] in ids
        if tag == "button":
            assert attributes["type"] in ("button", "submit")
    heads = [int(tag[1]) for tag, _ in ELEMENTS if re.fullmatch(r"h\d", tag)]
    assert heads[0] == 1
    assert heads.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(heads)), "a level is left out"


def colours(scheme):
    """The variables of the style sheet, by day or by night."""
    light, dark = re.findall(r":root \{([^}]+)\}", STYLE)
    read = lambda block: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
    return read(light) | (read(dark) if scheme == "dark" else {})


def contrast(one, other):
    """The ratio of WCAG 2, from 1 to 21."""
    linear = lambda part: part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
    light = lambda colour: sum(
        weight * linear(int(colour[at : at + 2], 16) / 255)
        for weight, at in ((0.2126, 1), (0.7152, 3), (0.0722, 5))
    )  # fmt: skip
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the well-known grey that just fails


TEXTS = [("ink", "back"), ("soft", "back"), ("ink", "raised"), ("soft", "raised"), ("link", "back"), ("link", "raised"),
         ("pressed", "press"), ("fake", "back"), ("cannot", "back"), ("real", "back"), ("ink", "ground")]  # fmt: skip
"""Each text and its ground."""
SIGNS = [("edge", "back"), ("edge", "raised"), ("ink", "fakezone"), ("ink", "cannotzone"), ("ink", "realzone"),
         ("fake", "ground"), ("cannot", "ground"), ("real", "ground"), ("press", "back")]  # fmt: skip
"""What is drawn and has to be seen: borders of controls, marks on the scale, frames in the picture."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_signs_can_be_told_from_their_ground(scheme):
    known = colours(scheme)
    for pairs, least in ((TEXTS, 4.5), (SIGNS, 3.0)):
        for one, other in pairs:
            assert contrast(known[one], known[other]) >= least, (one, other)
    used = set(re.findall(r"var\(--(\w+)\)", STYLE))
    assert used == set(known)
    # A line that only divides may be faint; all other colours are looked at above.
    assert used - {name for pair in TEXTS + SIGNS for name in pair} == {"line"}
    outside = re.sub(r":root \{[^}]+\}", "", STYLE)
    assert re.findall(r"#[0-9a-f]{3,6}\b", outside) == ["#d64018", "#2860d6"]  # the swatches of the map
