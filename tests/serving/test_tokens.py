"""Who holds a token is known by its hash alone, and a file of tokens is refused rather than half believed."""

import hashlib
import hmac
import os
import pickle

import pytest

from metaforge.errors import InputError
from metaforge.serving.tokens import Tokens, read_tokens

ANN, BOB = "a" * 23 + "1", "B0b-._~+/" * 4 + "=="


def write(path, text, mode=0o600):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.chmod(path, mode)
    return path


def test_each_holder_is_known_by_their_token(tmp_path):
    tokens = read_tokens(write(tmp_path / "t", f"# who may ask\n\n ann {ANN}\r\nbob\t{BOB}\n"))
    assert [tokens.name_of(token) for token in (ANN, BOB)] == ["ann", "bob"]
    others = [
        "",
        ANN[:-1],
        ANN + "1",
        ANN.upper(),
        f"{ANN} ",
        BOB[:-1],
        "ann",
        hashlib.sha256(ANN.encode()).hexdigest(),
    ]
    assert [tokens.name_of(token) for token in others] == [None] * len(others)


def test_no_token_can_be_got_out_again():
    tokens = Tokens([("ann", ANN)])
    said = repr(tokens) + str(tokens) + repr(vars(type(tokens))) + repr(tokens._holders)
    assert ANN not in said
    assert ANN.encode() not in pickle.dumps(tokens._holders)


def test_all_are_compared_in_constant_time_whichever_it_is(monkeypatch):
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or compare(a, b))
    tokens = Tokens([("ann", ANN), ("bob", BOB), ("cid", "c" * 24)])
    for token in (ANN, "c" * 24, "nobody's"):
        compared.clear()
        tokens.name_of(token)
        assert [len(held) for _, held in compared] == [32] * 3  # digests, so a prefix in common means nothing
        assert {given for given, _ in compared} == {hashlib.sha256(token.encode()).digest()}


WRONG = {
    "a short token": (f"ann {ANN[1:]}", "line 1: the token has 23 letters"),
    "a name twice": (f"ann {ANN}\nann {BOB}", "line 2: the name 'ann' stands there twice"),
    "a token twice": (f"ann {ANN}\nbob {ANN}", "line 2: the token stands there twice"),
    "a token without a name": (ANN, "line 1: it is not a name"),
    "three words": (f"ann smith {ANN}", "line 1: it is not a name"),
    "a name that could be markup": (f"<ann> {ANN}", "line 1: it is not a name"),
    "letters that no header carries": (f"ann {'ä' * 24}", "line 1: the token has letters"),
    "no token": ("# none yet\n", "it holds no token"),
    "nothing": ("", "it holds no token"),
    "bytes": (b"\xff\xfe\0" * 40, "line 1: it is not a name"),
    "a large file": (b"#" * (1 << 20) + b"##", "it is larger than 1 MiB"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_file_that_says_anything_else_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        read_tokens(write(tmp_path / "t", text))
    said = str(error.value)
    assert message in said
    assert "\n" not in said
    assert ANN[:-1] not in said
    assert BOB not in said


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o620, 0o666])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path, mode):
    with pytest.raises(InputError, match=r"others may read or change it\. Call: chmod 600 "):
        read_tokens(write(tmp_path / "t", f"ann {ANN}", mode))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_file_of_its_owner_and_their_group_is_read(tmp_path, mode):
    assert read_tokens(write(tmp_path / "t", f"ann {ANN}", mode)).name_of(ANN) == "ann"


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        with pytest.raises(InputError, match="there is no such file"):
            read_tokens(path)
