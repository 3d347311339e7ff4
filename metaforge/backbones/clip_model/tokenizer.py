"""Texts to CLIP's token ids: byte pairs, merged in the order of the user's file of merges."""

import functools
import gzip
import html
import itertools
import json
import os
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from metaforge.errors import InputError

START, END = "<|startoftext|>", "<|endoftext|>"
_SHORT = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


class Tokenizer:
    """Texts to token ids, as CLIP's released models know them. `read_tokenizer` makes one from files.

    Letters become lower case, and runs of white space one space. Words, single digits and runs of other signs are cut
    into byte pairs; the marks of start and end are ordinary signs inside a text. Broken text ("cafÃ©") is not mended,
    which OpenAI's own code does where ftfy is installed.

    Args:
        vocabulary: the id of every token; the two of start and end among them.
        merges: pairs of tokens, the ones to be merged first in front.

    Raises:
        InputError: if the two do not fit.

    Example:
        >>> tokenizer = Tokenizer(derived_vocabulary([("h", "i</w>")]), [("h", "i</w>")])
        >>> tokenizer.ids("Hi"), tokenizer.ids("hi!")
        ([512], [512, 256])
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Iterable[tuple[str, str]]):
        """Checks that the two belong together."""
        self.vocabulary = dict(vocabulary)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        letters = _byte_letters().values()
        tokens = [START, END, *letters, *(f"{letter}</w>" for letter in letters), *("".join(p) for p in self._ranks)]
        absent = next((token for token in tokens if token not in self.vocabulary), None)
        if absent is not None:
            raise InputError(
                f"tokenizer: the vocabulary lacks {absent!r}. Give the vocabulary and merges of one model."
            )
        if self.vocabulary[END] != max(self.vocabulary.values()):
            raise InputError(f"tokenizer: {END!r} has not the highest id, by which CLIP finds the end of a text.")

    def ids(self, text: str) -> list[int]:
        """The ids of a text, without those of start and end."""
        clean = " ".join(html.unescape(html.unescape(unicodedata.normalize("NFC", text))).split()).lower()
        letters = _byte_letters()
        return [
            self.vocabulary[token]
            for word in split_words(clean)
            for token in self._merged(tuple(letters[byte] for byte in word.encode()))
        ]

    def __call__(self, texts: Iterable[str], *, context: int = 77, truncate: bool = False) -> np.ndarray:
        """Texts as rows of ids: start, the text, end, and zeros.

        Args:
            texts: any number of texts.
            context: length of a row, at least 2.
            truncate: whether texts that are too long are cut; refused otherwise.

        Returns:
            Ids, int32, shape `(texts, context)`.

        Raises:
            InputError: for a text that is too long.
        """
        rows = []
        for text in texts:
            ids = self.ids(text)
            if len(ids) > context - 2 and not truncate:
                raise InputError(
                    f"tokenizer: {len(ids)} tokens are too many for a context of {context}, of which two are start and "
                    f"end: {text[:40]!r}... Shorten the text, or ask for `truncate`."
                )
            ids = [self.vocabulary[START], *ids[: context - 2], self.vocabulary[END]]
            rows.append(ids + [0] * (context - len(ids)))
        return np.array(rows, np.int32).reshape(-1, context)

    def _merged(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """A word's letters, merged until no known pair is left."""
        parts = (*parts[:-1], f"{parts[-1]}</w>")
        while len(parts) > 1:
            best = min(itertools.pairwise(parts), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            parts = tuple(_joined(parts, best))
        return parts


def read_tokenizer(
    merges: str | os.PathLike, *, vocabulary: str | os.PathLike | None = None, size: int = 49408
) -> Tokenizer:
    """A tokenizer from the files that come with CLIP's released models, which are not part of this package.

    Args:
        merges: OpenAI's `bpe_simple_vocab_16e6.txt.gz`, or Hugging Face's `merges.txt`: a first line of no meaning,
            then a pair a line.
        vocabulary: Hugging Face's `vocab.json`. If left out, ids follow from the merges, as in OpenAI's code.
        size: how many ids there are, which says how many merges of a longer file are used.

    Returns:
        A `Tokenizer`.

    Raises:
        InputError: for a file that is missing or holds something else.

    Example:
        >>> read_tokenizer("merges.txt")
        Traceback (most recent call last):
        metaforge.errors.InputError: tokenizer: there is no file 'merges.txt'. Give ... comes with the weights of CLIP.
    """
    lines = _text(merges).split("\n")[1 : size - 512 - 2 + 1]
    pairs = []
    for line in filter(str.strip, lines):
        left, *right = line.split()
        if len(right) != 1:
            raise InputError(f"tokenizer: {str(merges)!r} is no file of merges: {line[:60]!r} is no pair.")
        pairs.append((left, right[0]))
    if vocabulary is None:
        return Tokenizer(derived_vocabulary(pairs), pairs)
    try:
        ids = json.loads(_text(vocabulary))
    except json.JSONDecodeError as error:
        raise InputError(f"tokenizer: {str(vocabulary)!r} is no JSON: {error}. Give a file like vocab.json.") from error
    if not isinstance(ids, dict) or not all(isinstance(number, int) for number in ids.values()):
        raise InputError(f"tokenizer: {str(vocabulary)!r} is no table of ids. Give a file like vocab.json.")
    return Tokenizer(ids, pairs)


def derived_vocabulary(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The ids in OpenAI's order: 256 letters for bytes, the same ending a word, the merges, start and end.

    Example:
        >>> derived_vocabulary([("h", "i</w>")])["<|endoftext|>"]
        514
    """
    letters = list(_byte_letters().values())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    return {token: number for number, token in enumerate(tokens)}


@functools.cache
def _byte_letters() -> dict[int, str]:
    """A visible letter for every byte: itself where it is visible in Latin-1, one above U+0100 otherwise."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


def split_words(text: str) -> Iterator[str]:
    """English endings, runs of letters, single numerals, runs of other signs; no spaces."""
    at = 0
    while at < len(text):
        short = next((word for word in _SHORT if text.startswith(word, at)), "")
        kind, end = _kind(text[at]), at + max(len(short), 1)
        if not short and kind in ("letter", "sign"):
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != "space":
            yield text[at:end]
        at = end


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(character)[0], "sign")


def _joined(parts: tuple[str, ...], pair: tuple[str, str]) -> Iterator[str]:
    at = 0
    while at < len(parts):
        both = parts[at : at + 2] == pair
        yield "".join(pair) if both else parts[at]
        at += 2 if both else 1


def _text(path: str | os.PathLike) -> str:
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"tokenizer: there is no file {str(path)!r}. Give the one that comes with the weights of CLIP."
        )
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"tokenizer: {str(path)!r} cannot be read: {error}.") from error
