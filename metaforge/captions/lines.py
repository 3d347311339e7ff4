"""Files that grow line by line, and what a kill leaves of the last one."""

import os

_BLOCK = 1 << 16  # bytes that are read at once, from the end


def drop_torn(path: str | os.PathLike) -> str:
    r"""Takes from a file of records what follows its last newline: what a kill has left of a line.

    For who goes on with a file of its own; `metaforge.captions.records.read_records` refuses a line that was torn.

    Args:
        path: of a JSONL file.

    Returns:
        One line that says what was dropped, "" if nothing was.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.jsonl")
        ...     _ = file.write_bytes(b'{}\n{"id"')
        ...     drop_torn(file), file.read_bytes()
        ("dropped the last line of 'a.jsonl': it was cut off after 5 bytes.", b'{}\n')
    """
    with open(path, "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        keep, place = 0, end
        while place and not keep:
            start = max(0, place - _BLOCK)
            file.seek(start)
            keep, place = start + file.read(place - start).rfind(b"\n") + 1, start
            keep = 0 if keep == start else keep
        file.truncate(keep)
    return f"dropped the last line of '{os.path.basename(path)}': it was cut off after {end - keep} bytes." * (
        keep < end
    )
