"""Who holds which token: a file of names and tokens, of which only the hashes are kept."""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from metaforge.errors import InputError, printable

LEAST = 24
"""Letters of a token at least: drawn at random they are more than anybody can try."""

_MOST_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # what an Authorization header can carry (RFC 6750)
_MAKE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


class Tokens:
    """Knows a token when it sees one, and could not say any.

    Example:
        >>> tokens = Tokens([("ann", "an-example-of-24-letters")])
        >>> tokens.name_of("an-example-of-24-letters"), tokens.name_of("another"), tokens
        ('ann', None, Tokens(1 holder))
    """

    __slots__ = ("_holders",)

    def __init__(self, pairs: Iterable[tuple[str, str]]):
        """Keeps the SHA-256 of each token under its name.

        Args:
            pairs: names and tokens.
        """
        self._holders = tuple((name, _digest(token)) for name, token in pairs)

    def __repr__(self) -> str:
        """How many there are, and nothing else."""
        return f"Tokens({len(self._holders)} holder{'s' * (len(self._holders) != 1)})"

    def name_of(self, token: str) -> str | None:
        """The name of who holds a token; `None` if nobody does.

        All are compared, each in the same time wherever it differs, so the time tells neither a part of a token nor
        where it stands in the file.
        """
        given, place = _digest(token), 0
        for index, (_, held) in enumerate(self._holders, 1):
            place += index * hmac.compare_digest(given, held)
        return self._holders[place - 1][0] if place else None


def read_tokens(path: str | os.PathLike[str]) -> Tokens:
    """Reads a file of lines `name token`; empty lines, and those that begin with `#`, are passed over.

    Args:
        path: a file that its owner, and at most their group, may read.

    Returns:
        The tokens.

    Raises:
        InputError: if the file is missing, or others may read or change it; if a line is not a name and a token; if a
            token is short, or a name or a token stands there twice; or if there is none. No message repeats a token.

    Example:
        >>> read_tokens("nobody.txt")
        Traceback (most recent call last):
        metaforge.errors.InputError: tokens 'nobody.txt': there is no such file. Check the path.
    """
    name = printable(Path(path).as_posix())
    if not os.path.isfile(path):
        raise InputError(f"tokens '{name}': there is no such file. Check the path.")
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"tokens '{name}': it cannot be opened ({error.strerror}). Check its permissions.") from error
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise InputError(f"tokens '{name}': others may read or change it. Call: chmod 600 {name}")
    if len(text) > _MOST_BYTES:
        raise InputError(f"tokens '{name}': it is larger than 1 MiB. Give a file of lines: name token.")
    pairs: dict[str, str] = {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"tokens '{name}', line {number}"
        if len(words) != 2 or not _NAME.fullmatch(words[0]):
            raise InputError(f"{where}: it is not a name (letters, digits, . _ -) and a token. Write: name token")
        holder, token = words
        if len(token) < LEAST:
            raise InputError(
                f"{where}: the token has {len(token)} letters, and at least {LEAST} it must have. {_more()}"
            )
        if not _TOKEN.fullmatch(token):
            raise InputError(f"{where}: the token has letters that no header carries. {_more()}")
        if holder in pairs:
            raise InputError(f"{where}: the name '{holder}' stands there twice. Give each holder a name of their own.")
        if token in pairs.values():
            raise InputError(f"{where}: the token stands there twice. Give each holder a token of their own.")
        pairs[holder] = token
    if not pairs:
        raise InputError(f"tokens '{name}': it holds no token. Write a line: name token")
    return Tokens(pairs.items())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _more() -> str:
    return f"Make one with: {_MAKE}"
