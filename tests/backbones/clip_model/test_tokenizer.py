"""Byte pairs by hand, and every way the user's files can be wrong. See also `test_against_transformers.py`."""

import gzip
import json

import numpy as np
import pytest

from metaforge import InputError
from metaforge.backbones.clip_model import read_tokenizer
from metaforge.backbones.clip_model.tokenizer import derived_vocabulary

# In this order: "th" before "he" before "the".
MERGES = [("t", "h"), ("h", "e</w>"), ("th", "e</w>"), ("c", "a"), ("ca", "t</w>"), ("Ã", "©</w>")]
TEXT = "#version: 0.2\n" + "\n".join(map(" ".join, MERGES)) + "\n"
START, END = 512 + len(MERGES), 513 + len(MERGES)


@pytest.fixture
def merges(tmp_path):
    (tmp_path / "merges.txt").write_text(TEXT)
    return tmp_path / "merges.txt"


def letter(character, *, last=False):
    """The id of a letter of ASCII: "!" is the first of 256, which come once more for the end of words."""
    return ord(character) - ord("!") + 256 * last


CASES = {
    "the cat": [514, 516],  # t h e</w> -> th e</w> -> the</w>
    "  The\n\tCAT ": [514, 516],
    "he": [513],
    "hat": [letter("h"), letter("a"), letter("t", last=True)],
    "it's": [letter("i"), letter("t", last=True), letter("'"), letter("s", last=True)],
    "42": [letter("4", last=True), letter("2", last=True)],
    "a!?b": [letter("a", last=True), letter("!"), letter("?", last=True), letter("b", last=True)],
    "é": [517],  # two bytes, C3 A9, whose letters are Ã and ©
    "e\u0301": [517],
    "&amp;": [letter("&", last=True)],
    "": [],
    "<|a|>": [letter("<"), letter("|", last=True), letter("a", last=True), letter("|"), letter(">", last=True)],
}


@pytest.mark.parametrize("text", CASES)
def test_texts_by_hand(merges, text):
    assert read_tokenizer(merges).ids(text) == CASES[text]


def test_a_mark_inside_a_text_does_not_end_it(merges):
    tokenizer = read_tokenizer(merges)
    assert END not in tokenizer.ids("the <|endoftext|> cat")


def test_rows_start_end_and_are_filled_with_zeros(merges):
    rows = read_tokenizer(merges)(["the cat", "", "the the the the"], context=5, truncate=True)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[START, 514, 516, END, 0], [START, END, 0, 0, 0], [START, 514, 514, 514, END]]
    assert read_tokenizer(merges)([]).shape == (0, 77)


def test_a_text_that_is_too_long_is_refused(merges):
    with pytest.raises(InputError, match=r"4 tokens are too many for a context of 5, .* 'the the the the'"):
        read_tokenizer(merges)(["the the the the"], context=5)


def test_all_forms_of_the_files_are_the_same(merges, tmp_path):
    (tmp_path / "bpe.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "vocab.json").write_text(json.dumps(derived_vocabulary(MERGES)))
    expected = read_tokenizer(merges).vocabulary
    assert read_tokenizer(tmp_path / "bpe.txt.gz").vocabulary == expected
    assert read_tokenizer(merges, vocabulary=tmp_path / "vocab.json").vocabulary == expected


def test_of_a_longer_file_only_the_first_merges_count(merges):
    # OpenAI's file has 262,144 merges, of which the models know 48,894: 49,408 ids less 512 letters and two marks.
    tokenizer = read_tokenizer(merges, size=512 + 2 + 2)
    assert tokenizer.vocabulary["<|endoftext|>"] == 515
    assert tokenizer.ids("the") == [512, letter("e", last=True)]


def test_wrong_files_are_one_line(merges, tmp_path):
    def written(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    ids = derived_vocabulary(MERGES)
    lacking = {token: number for token, number in ids.items() if token != "the</w>"}
    low = ids | {"<|endoftext|>": 0}
    for given, vocabulary, message in (
        (tmp_path / "none.txt", None, "there is no file .*none.txt.* comes with the weights of CLIP"),
        (tmp_path, None, "there is no file"),
        (written("a.txt", "#\nt h\na b c\n"), None, "a.txt' is no file of merges: 'a b c' is no pair"),
        (written("b.txt.gz", "plain"), None, "b.txt.gz' cannot be read: "),
        (written("c.txt.gz", gzip.compress(TEXT.encode())[:-9]), None, "c.txt.gz' cannot be read: "),
        (written("d.txt", b"\xff\xfe\x00"), None, "d.txt' cannot be read: "),
        (merges, written("e.json", "{"), "e.json' is no JSON: "),
        (merges, written("f.json", "[1, 2]"), "f.json' is no table of ids"),
        (merges, written("g.json", json.dumps(lacking)), "the vocabulary lacks 'the</w>'"),
        (merges, written("h.json", json.dumps(low)), "has not the highest id"),
    ):
        with pytest.raises(InputError, match=message) as error:
            read_tokenizer(given, vocabulary=vocabulary)
        assert "\n" not in str(error.value)
