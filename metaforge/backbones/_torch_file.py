"""Tensors out of a file that PyTorch saved, without PyTorch and without running what the file says.

Such a file is a pickle, a program for Python's unpickler that may call anything, beside raw numbers. Here its
instructions are read by an interpreter of our own that knows dicts, lists, tuples, numbers, text, and five names as
symbols: `OrderedDict`, two ways of saying "a tensor", and the types of storages. It has nothing to call, so what it
does not know it can only refuse.
"""

import hashlib
import io
import pickletools
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from metaforge.errors import InputError

_MOST_BYTES = 2**31
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # how files before PyTorch 1.6 begin

_STORAGES = {
    "torch DoubleStorage": np.dtype(np.float64),
    "torch FloatStorage": np.dtype(np.float32),
    "torch HalfStorage": np.dtype(np.float16),
    "torch BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch LongStorage": np.dtype(np.int64),
    "torch IntStorage": np.dtype(np.int32),
    "torch ShortStorage": np.dtype(np.int16),
    "torch CharStorage": np.dtype(np.int8),
    "torch ByteStorage": np.dtype(np.uint8),
    "torch BoolStorage": np.dtype(np.bool_),
}
_DICT = "collections OrderedDict"
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"


def read_torch_file(path: str | Path, *, sha256: str | None = None) -> dict[str, np.ndarray]:
    """The tensors of a file made by `torch.save(model.state_dict(), path)`, by name; nothing in the file is run.

    Both formats are read: the archive of PyTorch 1.6 and later, and the row of pickles before it. What comes out takes
    no more memory than the file's length: tensors that repeat themselves, and compressed archives, are refused.

    Args:
        path: a file of at most 2 GiB.
        sha256: the hexadecimal digest that the file must have, or `None` for any.

    Returns:
        Arrays, read-only, in the file's order and precision.

    Raises:
        InputError: if it is not such a file, is damaged, has another digest, or wants anything but tensors, and then
            the message names what it wanted.

    Example:
        >>> read_torch_file("weights.pth")
        Traceback (most recent call last):
        metaforge.errors.InputError: weights: no file 'weights.pth'. Give one that torch.save has written.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights: no file '{path}'. Give one that torch.save has written.")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"weights: '{path}' is larger than 2 GiB. Save the model's state_dict alone.")
    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"weights: '{path.name}' is not the file that was expected (SHA-256). Install it again.")
    try:
        return (_archive if data[:2] == b"PK" else _row_of_pickles)(data)
    except _Refused as error:
        raise InputError(f"weights: '{path}' {error}. Only tensors by name are read: torch.save(state_dict).") from None
    except _DAMAGE as error:
        raise InputError(
            f"weights: '{path}' is damaged or not a file of torch.save ({type(error).__name__})."
        ) from error


class _Refused(Exception):
    """What is wrong with the file; the path goes in front."""


# What reading past an end, or an operand of the wrong kind, raises in the interpreter and in `zipfile`.
_DAMAGE = (
    AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError, RuntimeError,
    TypeError, ValueError, struct.error, zipfile.BadZipFile,
)  # fmt: skip


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str
    count: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


def _archive(data: bytes) -> dict[str, np.ndarray]:
    """A zip of `root/data.pkl` and `root/data/KEY`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        names = {member.filename for member in members}
        root = {name.split("/")[0] for name in names}
        odd = [name for name in names if "\\" in name or {"", ".", ".."} & set(name.split("/"))]
        if len(names) != len(members) or len(root) != 1 or odd:
            raise _Refused("has member names that torch.save does not write")
        # Members of torch.save are stored as they are. So no member grows, and all together fit the file.
        grown = any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members)
        if grown or sum(member.file_size for member in members) > len(data):
            raise _Refused("is compressed, or says that it holds more than its length")
        (root,) = root
        if f"{root}/data.pkl" not in names:
            raise _Refused("is a zip without data.pkl")
        if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
            raise _Refused("was written on a big-endian machine")
        tensors = _checked(_unpickle(io.BytesIO(archive.read(f"{root}/data.pkl"))))
        wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        raw = {key: archive.read(f"{root}/data/{key}") for key in wanted}
    return _arrays(tensors, raw)


def _row_of_pickles(data: bytes) -> dict[str, np.ndarray]:
    """Four pickles, the list of storages, and for each storage how many numbers it has and then these."""
    stream = io.BytesIO(data)
    if data[:1] != b"\x80" or _unpickle(stream) != _MAGIC or _unpickle(stream) != _PROTOCOL:
        raise _Refused("is not a file of torch.save")
    if _unpickle(stream)["little_endian"] is not True:
        raise _Refused("was written on a big-endian machine")
    tensors = _checked(_unpickle(stream))
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    raw = {}
    for key in _unpickle(stream):
        (count,) = struct.unpack("<q", stream.read(8))
        if key not in wanted or key in raw or count != wanted[key].count:
            raise _Refused("lists storages that its tensors do not have")
        raw[key] = stream.read(count * wanted[key].dtype.itemsize)
    if stream.read(1):
        raise _Refused("goes on after its last storage")
    return _arrays(tensors, raw)


def _checked(value: Any) -> dict[str, _Tensor]:
    if not isinstance(value, dict):
        raise _Refused(f"holds a {type(value).__name__.strip('_')}, not tensors by name")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise _Refused(f"holds a {type(tensor).__name__.strip('_')} under '{str(name)[:60]}'")
    return value


def _arrays(tensors: dict[str, _Tensor], raw: dict[str, bytes]) -> dict[str, np.ndarray]:
    """The tensors as views of their storages, none of which reaches beyond its storage."""
    stored, arrays = {}, {}
    for name, (storage, offset, shape, strides) in tensors.items():
        if storage.key not in stored:
            if len(raw[storage.key]) != storage.count * storage.dtype.itemsize:
                raise _Refused(f"ends before '{name[:60]}' does")
            numbers = np.frombuffer(raw[storage.key], np.uint8 if storage.dtype == bool else storage.dtype)
            stored[storage.key] = (storage, numbers != 0 if storage.dtype == bool else numbers)
        first, numbers = stored[storage.key]
        ints = [offset, *shape, *strides]
        if first != storage or len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in ints):
            raise _Refused(f"describes '{name[:60]}' in a way that no tensor has")
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        count = int(np.prod([int(size) for size in shape], dtype=object))
        if count and (last >= storage.count or count > storage.count):
            raise _Refused(f"holds '{name[:60]}' that is larger than its storage")
        steps = [stride * storage.dtype.itemsize for stride in strides]
        view = np.ndarray(shape, storage.dtype, numbers, offset * storage.dtype.itemsize, steps) if count else None
        arrays[name] = np.zeros(shape, storage.dtype) if view is None else view
        arrays[name].flags.writeable = False
    return arrays


def _unpickle(stream: io.BytesIO) -> Any:
    """One pickle, by the instructions that a dict of tensors needs."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        begin = marks.pop()
        taken = stack[begin:]
        del stack[begin:]
        return taken

    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if name in _PLAIN:
            stack.append(_PLAIN[name](argument))
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]  # type: ignore[index]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])  # type: ignore[index]
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            stack.append(tuple(since_mark() if name == "TUPLE" else [stack.pop() for _ in range(int(name[5]))][::-1]))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else since_mark()
            _kind(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else since_mark()
            for key, value in zip(items[::2], items[1::2], strict=True):
                _kind(stack[-1], dict)[_kind(key, (str, int))] = value
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_symbol(f"{_kind(module, str)} {_kind(attribute, str)}"))
        elif name == "BINPERSID":
            stack.append(_storage(*_kind(stack.pop(), tuple)))
        elif name == "REDUCE":
            arguments, function = stack.pop(), _kind(stack.pop(), _Global)
            stack.append(_called(function.name, _kind(arguments, tuple)))
        elif name == "BUILD":
            stack.pop()  # the attributes of a state_dict: versions of modules
            _kind(stack[-1], dict)
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise _Refused(f"holds the pickle instruction {name}")
    raise _Refused("ends within a pickle")


def _symbol(name: str) -> _Global:
    if name not in _STORAGES and name not in (_DICT, _TENSOR, _PARAMETER):
        raise _Refused(f"wants to use {name.replace(' ', '.')[:80]}, which is refused and was not run")
    return _Global(name)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "GLOBAL": _symbol,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
} | dict.fromkeys(
    ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"), lambda argument: argument
)


def _kind(value: Any, kinds: Any) -> Any:
    if not isinstance(value, kinds):
        raise _Refused(f"has a {type(value).__name__.strip('_')} where none can be")
    return value


def _storage(tag: Any, kind: Any, key: Any, place: Any, count: Any, view: Any = None) -> _Storage:
    if tag != "storage" or not isinstance(kind, _Global) or kind.name not in _STORAGES or view is not None:
        raise _Refused("refers to something that is not a whole storage")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise _Refused("describes a storage in a way that none has")
    return _Storage(_STORAGES[kind.name], key, count)


def _called(function: str, arguments: tuple) -> Any:
    if function == _DICT and arguments == ():
        return {}
    if function == _TENSOR:
        storage, offset, shape, strides = arguments[:4]
        return _Tensor(_kind(storage, _Storage), offset, _kind(shape, tuple), _kind(strides, tuple))
    if function == _PARAMETER:
        return _kind(arguments[0], _Tensor)
    raise _Refused(f"uses {function.replace(' ', '.')} in a way that torch.save does not")
