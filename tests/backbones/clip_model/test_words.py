"""The tokenizer of whole words, by hand."""

import numpy as np
import pytest

from metaforge.backbones.clip_model import WordTokenizer, words_of
from metaforge.errors import InputError

WORDS = ("the", "mouth", ",", "blur")


def test_ids_end_with_the_highest_and_then_zeros():
    tokenizer = WordTokenizer(WORDS)
    rows = tokenizer(["Blur, the MOUTH", "the unheard-of blur", "", None], context=8)
    # 0 is padding, 1 what is unknown ("unheard", "-" and "of"), 2 the first word, 6 the end.
    expected = [[5, 4, 2, 3, 6, 0, 0, 0], [2, 1, 1, 1, 5, 6, 0, 0], [6, 0, 0, 0, 0, 0, 0, 0], [0] * 8]
    np.testing.assert_array_equal(rows, expected)
    assert (rows.dtype, tokenizer.size) == (np.int32, 7)
    assert tokenizer([], context=8).shape == (0, 8)


def test_texts_that_are_too_long_are_refused_or_cut():
    tokenizer = WordTokenizer(WORDS)
    with pytest.raises(InputError, match="3 words are too many for a context of 3"):
        tokenizer(["the mouth blur"], context=3)
    np.testing.assert_array_equal(tokenizer(["the mouth blur"], context=3, truncate=True), [[2, 3, 6]])


def test_the_vocabulary_is_in_order_of_frequency_then_of_the_alphabet():
    texts = ["nose and mouth", "mouth and eyes", "mouth"]
    assert words_of(texts) == ("mouth", "and", "eyes", "nose")
    assert words_of(texts[::-1], most=2) == ("mouth", "and")


def test_a_vocabulary_of_other_than_words_is_refused():
    for words in (("Mouth",), ("the mouth",), ("",)):
        with pytest.raises(InputError, match="is not one word in lower case"):
            WordTokenizer(words)
    with pytest.raises(InputError, match="comes twice"):
        WordTokenizer(("nose", "nose"))
