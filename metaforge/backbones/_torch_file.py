"""Tensors out of a file that PyTorch saved, without PyTorch and without running what the file says."""

import hashlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from metaforge.backbones._tensor_pickle import Refused, Tensor, unpickle
from metaforge.errors import InputError

_MOST_BYTES = 2**31
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # how files before PyTorch 1.6 begin


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
    except Refused as error:
        raise InputError(f"weights: '{path}' {error}. Only tensors by name are read: torch.save(state_dict).") from None
    except _DAMAGE as error:
        raise InputError(
            f"weights: '{path}' is damaged or not a file of torch.save ({type(error).__name__})."
        ) from error


# What reading past an end, or an operand of the wrong kind, raises in the interpreter and in `zipfile`.
_DAMAGE = (
    AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError, RuntimeError,
    TypeError, ValueError, struct.error, zipfile.BadZipFile,
)  # fmt: skip


def _archive(data: bytes) -> dict[str, np.ndarray]:
    """A zip of `root/data.pkl` and `root/data/KEY`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        names = {member.filename for member in members}
        root = {name.split("/")[0] for name in names}
        odd = [name for name in names if "\\" in name or {"", ".", ".."} & set(name.split("/"))]
        if len(names) != len(members) or len(root) != 1 or odd:
            raise Refused("has member names that torch.save does not write")
        # Members of torch.save are stored as they are. So no member grows, and all together fit the file.
        grown = any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members)
        if grown or sum(member.file_size for member in members) > len(data):
            raise Refused("is compressed, or says that it holds more than its length")
        (root,) = root
        if f"{root}/data.pkl" not in names:
            raise Refused("is a zip without data.pkl")
        if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
            raise Refused("was written on a big-endian machine")
        tensors = _checked(unpickle(io.BytesIO(archive.read(f"{root}/data.pkl"))))
        wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        raw = {key: archive.read(f"{root}/data/{key}") for key in wanted}
    return _arrays(tensors, raw)


def _row_of_pickles(data: bytes) -> dict[str, np.ndarray]:
    """Four pickles, the list of storages, and for each storage how many numbers it has and then these."""
    stream = io.BytesIO(data)
    if data[:1] != b"\x80" or unpickle(stream) != _MAGIC or unpickle(stream) != _PROTOCOL:
        raise Refused("is not a file of torch.save")
    if unpickle(stream)["little_endian"] is not True:
        raise Refused("was written on a big-endian machine")
    tensors = _checked(unpickle(stream))
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    raw = {}
    for key in unpickle(stream):
        (count,) = struct.unpack("<q", stream.read(8))
        if key not in wanted or key in raw or count != wanted[key].count:
            raise Refused("lists storages that its tensors do not have")
        raw[key] = stream.read(count * wanted[key].dtype.itemsize)
    if stream.read(1):
        raise Refused("goes on after its last storage")
    return _arrays(tensors, raw)


def _checked(value: Any) -> dict[str, Tensor]:
    if not isinstance(value, dict):
        raise Refused(f"holds a {type(value).__name__.strip('_')}, not tensors by name")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise Refused(f"holds a {type(tensor).__name__.strip('_')} under '{str(name)[:60]}'")
    return value


def _arrays(tensors: dict[str, Tensor], raw: dict[str, bytes]) -> dict[str, np.ndarray]:
    """The tensors as views of their storages, none of which reaches beyond its storage."""
    stored, arrays = {}, {}
    for name, (storage, offset, shape, strides) in tensors.items():
        if storage.key not in stored:
            if len(raw[storage.key]) != storage.count * storage.dtype.itemsize:
                raise Refused(f"ends before '{name[:60]}' does")
            numbers = np.frombuffer(raw[storage.key], np.uint8 if storage.dtype == bool else storage.dtype)
            stored[storage.key] = (storage, numbers != 0 if storage.dtype == bool else numbers)
        first, numbers = stored[storage.key]
        ints = [offset, *shape, *strides]
        if first != storage or len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in ints):
            raise Refused(f"describes '{name[:60]}' in a way that no tensor has")
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        count = int(np.prod([int(size) for size in shape], dtype=object))
        if count and (last >= storage.count or count > storage.count):
            raise Refused(f"holds '{name[:60]}' that is larger than its storage")
        steps = [stride * storage.dtype.itemsize for stride in strides]
        view = np.ndarray(shape, storage.dtype, numbers, offset * storage.dtype.itemsize, steps) if count else None
        arrays[name] = np.zeros(shape, storage.dtype) if view is None else view
        arrays[name].flags.writeable = False
    return arrays
