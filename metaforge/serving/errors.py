"""What goes wrong with a request: a status, a code for programs, and a sentence for people."""

from typing import Any


class Problem(Exception):
    """Raised by whatever answers a request; the service makes the answer of it.

    Example:
        >>> Problem(415, "unsupported_type", "This is a web page. Send an image.").body("r1")["error"]["code"]
        'unsupported_type'
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None):
        """A problem.

        Args:
            status: of HTTP.
            code: one of `CODES`.
            message: one true sentence or two: what is wrong, and what to do.

        Other Arguments:
            retry_after: after how many seconds asking again may help.
        """
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def body(self, request_id: str, *, path: str = "") -> dict[str, Any]:
        """The answer, of plain values; below /v2 that of the Open Inference Protocol, which is a sentence alone.

        Example:
            >>> problem("empty", "There is nothing in the file.").body("r1", path="/v2/models/default/infer")
            {'error': 'There is nothing in the file.'}
        """
        if path == "/v2" or path.startswith("/v2/"):
            return {"error": self.message}
        return {"error": {"code": self.code, "message": self.message, "request_id": request_id}}

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's head says of it."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


CODES = {
    "bad_request": 400,
    "empty": 400,
    "unauthorized": 401,
    "cross_site": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "conflict": 409,
    "too_large": 413,
    "unsupported_type": 415,
    "wrong_host": 421,
    "invalid": 422,
    "unreadable": 422,
    "too_many": 429,
    "headers_too_large": 431,
    "failed": 500,
    "not_ready": 503,
    "shutting_down": 503,
    "unavailable": 503,
}
"""Every code that an answer may have, and the status that it comes with."""


def problem(code: str, message: str, *, retry_after: int | None = None) -> Problem:
    """The problem with a code of `CODES`, which knows its status.

    Example:
        >>> problem("empty", "There is nothing in the file. Send it again.").status
        400
    """
    return Problem(CODES[code], code, message, retry_after=retry_after)
