"""How much, how long and how many: the bounds on what a client may make the service hold."""

from collections.abc import Mapping
from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds on one request and on one connection.

    Attributes:
        body: bytes of a request's body, where `bodies` names no other bound.
        bodies: bytes for requests of one path.
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
            >>> limits = Limits(body=10, bodies={"/v1/predict": 100})
            >>> limits.body_of("/v1/predict"), limits.body_of("/v1/feedback")
            (100, 10)
        """
        return self.bodies.get(path.rstrip("/"), self.body)

    def patience(self, got: int) -> float:
        """Seconds in which a body must have brought more than `got` bytes.

        Example:
            >>> Limits(grace=10, least_rate=1000, longest=60).patience(5000)
            15.0
        """
        return min(self.grace + got / self.least_rate, self.longest)
