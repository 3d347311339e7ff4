"""Who hangs up takes what they asked along: the work for nobody would keep others waiting."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


async def while_there(request: Request, asked: Coroutine[Any, Any, T]) -> T:
    """What is asked; it is cancelled as soon as its client has hung up.

    Args:
        request: whose body has been read.
        asked: what its answer is made of.

    Raises:
        ClientDisconnect: when the client is gone.
    """
    work, gone = asyncio.ensure_future(asked), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def all_of(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in their order; as soon as one fails the others are cancelled, since nobody is told of them.

    Example:
        >>> async def same(value):
        ...     return value
        >>> asyncio.run(all_of(same(value) for value in "ab"))
        ['a', 'b']
    """
    tasks = [asyncio.ensure_future(each) for each in asked]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
