"""Texts to numbers of whole words: a vocabulary of one's own captions, which needs no file of CLIP's."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from metaforge.backbones.clip_model.tokenizer import split_words
from metaforge.errors import InputError

UNKNOWN = 1
"""The id of every word that the vocabulary lacks; 0 is padding, and the first word is 2."""


def words_of(texts: Iterable[str], *, most: int | None = None) -> tuple[str, ...]:
    """The words of some texts, the more frequent first, then by the alphabet: a vocabulary for `WordTokenizer`.

    Args:
        texts: the captions of the training set, and of no other.

    Other Arguments:
        most: how many words are kept; all if left out.

    Example:
        >>> words_of(["Blur at the mouth", "blur at the nose"])
        ('at', 'blur', 'the', 'mouth', 'nose')
    """
    counts = Counter(word for text in texts for word in _words(text))
    return tuple(sorted(counts, key=lambda word: (-counts[word], word))[:most])


class WordTokenizer:
    """Texts to ids of whole words, in the shape that `text_tower` reads: words, the end, and zeros.

    Case does not count, and signs are words. The end has the highest id, as in CLIP's vocabulary. No text, `None`, is a
    row of zeros, which `metaforge.objectives.image_text` passes over.

    Args:
        words: the vocabulary, each word once.

    Attributes:
        words: the same.
        size: how many ids there are: `TextConfig.vocabulary`.

    Raises:
        InputError: for a word that is none or comes twice.

    Example:
        >>> tokenizer = WordTokenizer(("red", "square"))
        >>> print(tokenizer(["Red square", "red circle", None], context=4), tokenizer.size)
        [[2 3 4 0]
         [2 1 4 0]
         [0 0 0 0]] 5
    """

    def __init__(self, words: Sequence[str]):
        """Checks the words."""
        self.words = tuple(words)
        self._ids = {word: number + UNKNOWN + 1 for number, word in enumerate(self.words)}
        odd = next((word for word in self.words if _words(word) != [word]), None)
        if odd is not None:
            raise InputError(f"tokenizer: {odd!r} is not one word in lower case. Take the words from `words_of`.")
        if len(self._ids) != len(self.words):
            raise InputError("tokenizer: a word comes twice in the vocabulary. Take the words from `words_of`.")
        self.size = len(self.words) + UNKNOWN + 2

    def __call__(self, texts: Iterable[str | None], *, context: int = 77, truncate: bool = False) -> np.ndarray:
        """Texts as rows of ids.

        Args:
            texts: any number of texts; `None` for none.
            context: length of a row, at least 1.
            truncate: whether texts that are too long are cut; refused otherwise.

        Returns:
            Ids, int32, shape `(texts, context)`.

        Raises:
            InputError: for a text that is too long.
        """
        rows = []
        for text in texts:
            ids = [] if text is None else [self._ids.get(word, UNKNOWN) for word in _words(text)]
            if len(ids) > context - 1 and not truncate:
                raise InputError(
                    f"tokenizer: {len(ids)} words are too many for a context of {context}, one of which is the end: "
                    f"{str(text)[:40]!r}... Shorten the text, or ask for `truncate`."
                )
            ids = [] if text is None else [*ids[: context - 1], self.size - 1]
            rows.append(ids + [0] * (context - len(ids)))
        return np.array(rows, np.int32).reshape(-1, context)


def _words(text: str) -> list[str]:
    return [*split_words(unicodedata.normalize("NFC", text).lower())]
