"""How often each client may ask, counted by the library `limits` over the last minute."""

import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any


class Rates:
    """Counts the requests of each client.

    Kept in memory are the times of the last minute's requests, and nothing of a client that is gone for longer.

    Example:
        >>> rates = Rates(2)
        >>> rates.hit("ann"), rates.hit("ann"), rates.hit("bob"), rates.hit("ann") > 0
        (0, 0, 0, True)
    """

    def __init__(self, per_minute: int):
        """Counts that begin at none.

        Args:
            per_minute: requests a minute that each may make; 0 for any number.
        """
        self.per_minute = per_minute
        if per_minute:
            from limits import RateLimitItemPerMinute
            from limits.storage import MemoryStorage
            from limits.strategies import MovingWindowRateLimiter

            self._counter = MovingWindowRateLimiter(MemoryStorage())
            self._most = RateLimitItemPerMinute(per_minute)

    def hit(self, client: str) -> int:
        """Counts a request.

        Returns:
            0 if it may be answered; else after how many seconds another may be.
        """
        if not self.per_minute or self._counter.hit(self._most, client):
            return 0
        # At the very second the oldest request still counts.
        return max(1, math.floor(self._counter.get_window_stats(self._most, client).reset_time - time.time()) + 1)


def client_of(scope: Mapping[str, Any]) -> str:
    """Whom an address stands for: of IPv6 the network of 64 bits, of which one household has all addresses.

    Example:
        >>> client_of({"client": ("127.0.0.1", 4000)}), client_of({"client": ("2001:db8::1:2", 4000)})
        ('127.0.0.1', '2001:db8::/64')
        >>> client_of({"client": None})
        'unknown'
    """
    address = (scope.get("client") or ("unknown", 0))[0]
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
