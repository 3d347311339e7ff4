"""The key of an endpoint: from a file or the environment, and out of every text before anybody sees it."""

import base64
import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from metaforge.errors import InputError

_VARIABLES = "METAFORGE_API_KEY", "OPENAI_API_KEY"
_SECRET = 8
_RUN = 12
"""So many letters of a key, one after the other, are enough of it to be taken out."""


def key_from(file: str) -> str:
    r"""The key of an endpoint; "" if there is none, which many local servers are content with.

    Args:
        file: whose text is the key; "" for the environment: METAFORGE_API_KEY, or OPENAI_API_KEY.

    Raises:
        InputError: when the file cannot be read, or what it holds cannot be a key. It does not repeat what that is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "key").write_text("sk-1234\n", encoding="utf-8")
        ...     key_from(f"{folder}/key")
        'sk-1234'
    """
    if file:
        try:
            key, where = Path(file).read_text(encoding="utf-8").strip(), f"key_file: '{file}'"
        except (OSError, UnicodeDecodeError):
            raise InputError(f"key_file: '{file}' cannot be read as text. Check the path.") from None
        if not key:
            raise InputError(f"{where} is empty. Write the key into it.")
    else:
        name = next((name for name in _VARIABLES if os.environ.get(name)), "")
        key, where = os.environ.get(name, "").strip(), f"environment: {name}"
    return checked_key(key, where)


def checked_key(key: str, where: str = "key") -> str:
    """A key that can go into a header.

    Args:
        key: the key, or "".
        where: it is from, for the error.

    Raises:
        InputError: for another text, which it does not repeat.

    Example:
        >>> checked_key("sk-1 234")
        Traceback (most recent call last):
        metaforge.errors.InputError: key is no key: it has spaces or letters that none has. Give the key alone.
    """
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise InputError(f"{where} is no key: it has spaces or letters that none has. Give the key alone.")
    return key


def redactor(key: str) -> Callable[[str], str]:
    """What takes a key out of a text, also if it is only a part of it, encoded for an address, or in base 64.

    Args:
        key: one of fewer than eight letters, such as the "none" and "EMPTY" that local servers are given, is no secret
            and may be a word: nothing is taken out.

    Example:
        >>> redactor("sk-0123456789abcdef")("Incorrect key: sk-0123456789abcdef.")
        'Incorrect key: [key].'
    """
    if len(key) < _SECRET:
        return lambda text: text
    coded = [base64.b64encode(given.encode("ascii")).decode("ascii").rstrip("=") for given in (key, f"Bearer {key}")]
    forms = {key, urllib.parse.quote(key, safe=""), *coded}

    def redact(text: str) -> str:
        hidden = [False] * len(text)
        for form in forms:
            length = min(_RUN, len(form))
            pieces = {form[start : start + length] for start in range(len(form) - length + 1)}
            for start in range(len(text) - length + 1):
                if text[start : start + length] in pieces:
                    hidden[start : start + length] = [True] * length
        if not any(hidden):
            return text
        marked = "".join("\0" if gone else letter for letter, gone in zip(text.replace("\0", " "), hidden, strict=True))
        return re.sub("\0+", "[key]", marked)

    return redact
