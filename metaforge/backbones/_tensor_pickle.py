"""An interpreter for the pickles in PyTorch's files: it knows tensors and has nothing to call.

A pickle is a program for Python's unpickler, which may call anything that can be imported. This one knows dicts, lists,
tuples, numbers, text, and a few names as symbols: `OrderedDict`, two ways of saying "a tensor", and the types of
storages. What it does not know it can only refuse.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

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


class Refused(Exception):
    """What is wrong with the file; the path goes in front."""


class _Global(NamedTuple):
    name: str


class Storage(NamedTuple):
    dtype: np.dtype
    key: str
    count: int


class Tensor(NamedTuple):
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def unpickle(stream: io.BytesIO) -> Any:
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
            raise Refused(f"holds the pickle instruction {name}")
    raise Refused("ends within a pickle")


def _symbol(name: str) -> _Global:
    if name not in _STORAGES and name not in (_DICT, _TENSOR, _PARAMETER):
        raise Refused(f"wants to use {name.replace(' ', '.')[:80]}, which is refused and was not run")
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
        raise Refused(f"has a {type(value).__name__.strip('_')} where none can be")
    return value


def _storage(tag: Any, kind: Any, key: Any, place: Any, count: Any, view: Any = None) -> Storage:
    if tag != "storage" or not isinstance(kind, _Global) or kind.name not in _STORAGES or view is not None:
        raise Refused("refers to something that is not a whole storage")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise Refused("describes a storage in a way that none has")
    return Storage(_STORAGES[kind.name], key, count)


def _called(function: str, arguments: tuple) -> Any:
    if function == _DICT and arguments == ():
        return {}
    if function == _TENSOR:
        storage, offset, shape, strides = arguments[:4]
        return Tensor(_kind(storage, Storage), offset, _kind(shape, tuple), _kind(strides, tuple))
    if function == _PARAMETER:
        return _kind(arguments[0], Tensor)
    raise Refused(f"uses {function.replace(' ', '.')} in a way that torch.save does not")
