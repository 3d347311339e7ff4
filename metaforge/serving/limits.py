"""How much, how long and how many: the bounds on what a client may make the service hold."""

import fnmatch
from collections.abc import Mapping
from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds on one request and on one connection.

    Attributes:
        body: bytes of a request's body, where `bodies` names no other bound.
        bodies: bytes for requests of one path; `*` in it stands for any name.
        held: bytes of all bodies that have come and are not answered yet.
        grace: seconds that a body may take however small it is.
        least_rate: bytes a second that a body must come with, beyond `grace`.
        longest: seconds that a body may take however large it is.
        head: seconds in which the head of a request must have come.
        head_bytes: of the request line and all headers.
        head_lines: headers of one request.
        keep_alive: seconds that a connection may stay without a request.
        linger: seconds in which a client may read its answer and stop sending, before the connection is cut.
        unread: seconds in which a client must have taken what was written to it.
        per_client: connections from one address.
        connections: connections from all.
    """

    body: int = 1 << 20
    bodies: Mapping[str, int] = {}
    held: int = 1 << 30
    grace: float = 10.0
    least_rate: float = 16_384.0
    longest: float = 600.0
    head: float = 10.0
    head_bytes: int = 16_384
    head_lines: int = 100
    keep_alive: float = 15.0
    linger: float = 2.0
    unread: float = 30.0
    per_client: int = 64
    connections: int = 512

    def body_of(self, path: str) -> int:
        """Bytes that a request to a path may bring.

        Example:
            >>> limits = Limits(body=10, bodies={"/v1/predict": 100, "/v2/models/*/infer": 1000})
            >>> limits.body_of("/v1/predict"), limits.body_of("/v2/models/a/infer"), limits.body_of("/v1/feedback")
            (100, 1000, 10)
        """
        found = (most for pattern, most in self.bodies.items() if fnmatch.fnmatchcase(path.rstrip("/"), pattern))
        return next(found, self.body)

    def patience(self, got: int) -> float:
        """Seconds in which a body must have brought more than `got` bytes.

        Example:
            >>> Limits(grace=10, least_rate=1000, longest=60).patience(5000)
            15.0
        """
        return min(self.grace + got / self.least_rate, self.longest)
