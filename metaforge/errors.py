"""The one exception that is a person's to mend: a wrong path, a wrong value, a file that cannot be read."""


class InputError(ValueError):
    """Something that was given is wrong, and the message says in one line what, where and what to do.

    Commands print the line and end with exit code 2; a library caller sees an ordinary `ValueError`.

    Example:
        >>> raise InputError("faces: no image in 'photos'. Give a folder that holds .png or .jpg files.")
        Traceback (most recent call last):
        metaforge.errors.InputError: faces: no image in 'photos'. Give a folder that holds .png or .jpg files.
    """


def printable(text: str) -> str:
    r"""What a stranger named, as it can stand in a line: without line breaks and bytes that no terminal shows.

    Example:
        >>> print(printable("a\nb"))
        a\nb
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
