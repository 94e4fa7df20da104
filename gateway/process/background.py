"""Threads for the gateway's own slow work: files, disks, the compiling of rules.

Apart from the threads in which agents' bodies are read, so that no flood of those keeps a stop or a
new policy waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")

THREADS_MAX: Final = 3
"""One each for stops, agents and rules, which do one thing after the other."""

_THREADS: Final = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="background")


def begin_in_background(
    work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs
) -> Future[Result]:
    """Begin it in a thread. The future's `result` blocks, as only a start may."""
    return _THREADS.submit(work, *args, **kwargs)


async def in_background(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Do it in a thread, and wait for it. Cancelled, the thread still ends what it began."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, partial(work, *args, **kwargs))
