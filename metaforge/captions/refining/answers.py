"""What refiners give, and the file in which every answer is kept as it comes."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from metaforge.captions.lines import drop_torn
from metaforge.captions.refining.prompt import Prompt
from metaforge.errors import InputError
from metaforge.locks import lock_directory

_BEGIN = b'{"request": '


class Answer(NamedTuple):
    """What a refiner made of a prompt.

    Attributes:
        id: of the record.
        text: the refined sentence; `None` if there is none.
        failure: why there is none, in one line; "" otherwise.
        usage: tokens by name, as far as they are known.
        refiner: what made it.
        again: whether there was no answer at all, so that it is worth asking again.
    """

    id: str
    text: str | None
    failure: str
    usage: Mapping[str, int]
    refiner: str
    again: bool = False


class Refine(Protocol):
    """How a refiner is called."""

    def __call__(self, prompts: Iterable[Prompt]) -> Iterator[Answer]:
        """One answer to each prompt, in their order. It raises for nothing that another prompt might not meet.

        Args:
            prompts: any number; they are asked for as they are needed.
        """
        ...


class Refiner(NamedTuple):
    """Anything that turns prompts into sentences.

    Attributes:
        name: what it is, as records say it.
        refine: prompts to answers.
    """

    name: str
    refine: Refine


class Kept(NamedTuple):
    """A file of answers that is open.

    Attributes:
        find: the last answer of a name, `None` if there is none.
        add: writes an answer under a name, at once.
        close: closes the file, for others too.
    """

    find: Callable[[str], Answer | None]
    add: Callable[[str, Answer], None]
    close: Callable[[], None]


def kept_answers(path: str | os.PathLike) -> Kept:
    """A file of answers, made if it is not there. What a kill left of a last line is dropped.

    Only where each line begins is held in memory, so the file may be long. It may be used by several threads.

    Args:
        path: of a JSONL file. Each line has `request` (the name), and what an `Answer` has.

    Raises:
        InputError: when it cannot be read or written, another process has it, or a line is no answer.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = kept_answers(f"{folder}/answers.jsonl")
        ...     kept.add("a request", Answer("fake/a", "Forged: the mouth.", "", {}, "by hand"))
        ...     kept.find("a request").text, kept.find("another")
        ...     kept.close()
        ('Forged: the mouth.', None)
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        held = [lock_directory(path, flag="answers")]
        _refuse_foreign(path)
        drop_torn(path)
        file = open(path, "r+b")  # noqa: SIM115 - closed by `close`
    except OSError as error:
        raise InputError(f"answers: '{path}' cannot be written ({error.strerror}). Choose another place.") from None
    places, lock = {}, threading.Lock()
    try:
        for name, _, place in _lines(file, path):
            places[_short(name)] = place
    except InputError:
        file.close()
        raise

    def find(name: str) -> Answer | None:
        with lock:
            place = places.get(_short(name))
            if place is None:
                return None
            file.seek(place)
            return _answer(json.loads(file.readline()))

    def add(name: str, answer: Answer) -> None:
        line = json.dumps({"request": name, **answer._asdict()}).encode("ascii") + b"\n"
        with lock:
            places[_short(name)] = file.seek(0, os.SEEK_END)
            file.write(line)
            file.flush()

    def close() -> None:
        file.close()
        held.clear()

    return Kept(find, add, close)


def replay(path: str | os.PathLike) -> Refiner:
    """A refiner that gives recorded answers again, by the records' ids; of several the last. Asks nobody.

    Args:
        path: of a file as `kept_answers` writes it.

    Raises:
        InputError: when it cannot be read, or a line is no answer.

    Example:
        >>> import tempfile
        >>> from metaforge.captions.refining.prompt import SCHEMA, Guide, Pair
        >>> prompt = Prompt("fake/a", Pair("r.png", "f.png", None), Guide("forged", (), (), 0.1, "", ()), "", SCHEMA)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = kept_answers(f"{folder}/answers.jsonl")
        ...     kept.add("a request", Answer("fake/a", "Forged: the mouth.", "", {}, "by hand"))
        ...     kept.close()
        ...     [answer.text for answer in replay(f"{folder}/answers.jsonl").refine([prompt])]
        ['Forged: the mouth.']
    """
    places = {}
    try:
        with open(path, "rb") as file:
            for _, answer, place in _lines(file, path):
                places[_short(answer.id)] = place
    except OSError as error:
        raise InputError(f"answers: '{path}' cannot be read ({error.strerror}). Check the path.") from None

    def refine(prompts: Iterable[Prompt]) -> Iterator[Answer]:
        with open(path, "rb") as file:
            for prompt in prompts:
                place = places.get(_short(prompt.id))
                if place is None:
                    yield Answer(prompt.id, None, "no answer is recorded", {}, "replay", True)
                else:
                    file.seek(place)
                    yield _answer(json.loads(file.readline()))

    return Refiner("replay", refine)


def _refuse_foreign(path: Path) -> None:
    """What does not begin as an answer is somebody else's file, and nothing is dropped from it."""
    with open(path, "rb") as file:
        begin = file.read(len(_BEGIN))
    if not _BEGIN.startswith(begin):
        raise InputError(f"answers: '{path}' is no file of recorded answers. Name another one.")


def _lines(file: Any, path: str | os.PathLike) -> Iterator[tuple[str, Answer, int]]:
    place = 0
    for number, line in enumerate(file, 1):
        try:
            found = json.loads(line)
            yield str(found["request"]), _answer(found), place
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InputError(
                f"answers: '{path}', line {number} is no recorded answer. Delete the line, or name another file."
            ) from None
        place += len(line)


def _answer(found: Mapping[str, Any]) -> Answer:
    answer = Answer(*(found[name] for name in Answer._fields))
    texts = (answer.id, answer.failure, answer.refiner, "" if answer.text is None else answer.text)
    if not all(isinstance(one, str) for one in texts) or any(type(one) is not int for one in answer.usage.values()):
        raise TypeError
    return answer


def _short(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:12]
