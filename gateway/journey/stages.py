"""Lets requests go through their stages side by side.

A request runs through more code, Python's and ours, than the nearest caches of a processor hold:
in a simulation of them, the next instruction is missing from them twenty thousand times a request.
Where many requests are on their way, the code of one stage runs for all of them in a row instead,
and is fetched once.
"""

from __future__ import annotations

import types
from collections.abc import Generator


@types.coroutine
def in_step() -> Generator[None, None, None]:
    """Wait until every other request that is as far has come as far. Costs a turn of the event
    loop, which is nothing that can be measured where one request is alone.

    What `asyncio.sleep(0)` does, without its own coroutine.
    """
    yield
