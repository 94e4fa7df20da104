"""Policies and mappers in files: loaded at start, and again when any of them changes.

Files are looked at, not watched: a look sees every way of changing them (written in place,
replaced, a folder's symlink turned elsewhere as Kubernetes does it), on every file system. A change
is taken when two looks in a row see the same and nothing changes while it is read, so that no
half-written file is mistaken for a mistake.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway import telemetry
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.library import CATALOGS
from gateway.decide.bundle import Bundle
from gateway.decide.loader import load_bundle
from gateway.journey.judge import Ruleset
from gateway.model.errors import CheckreinError
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks, wait_at_most
from gateway.rulesets.keeper import RulesetKeeper

log = logging.getLogger(__name__)

RESTLESS_LOOKS_MAX: Final = 20
"""Looks that may differ in a row; then what is there is taken, so that a file which never rests
can't keep a change out."""

FILES_LOOKED_AT_MAX: Final = 20_000
"""More files than this are not rules."""

Paths = Callable[[], Sequence[Path]]
Mark = tuple[str, int, int, int, int]
"""Path, inode, size, and the times of the last write and of the last change of anything, by which
a file that was written anew is told from what it was."""
Marks = tuple[Mark, ...]
"""What a look sees. `judged` ones are those of the last ruleset, whether it could be used or not;
`mapped` are those that the mappers in force were read from."""


class RulesetFiles:
    """`RulesetSource` of files. `load` comes first."""

    def __init__(self, policy_paths: Paths, mapper_paths: Paths, poll_seconds: float) -> None:
        self._policy_paths = policy_paths
        self._mapper_paths = mapper_paths
        self._poll_seconds = poll_seconds
        self._judged: tuple[Marks, Marks] = ((), ())
        self._canonicalizer: Canonicalizer | None = None
        self._mapped: Marks = ()
        self._forced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def load(self) -> Ruleset:
        """Read everything.

        Raises:
            CheckreinError: with every problem of every file.
        """
        self._judged = marks = self._look()
        ruleset = self._read(with_mappers=True)
        self._canonicalizer, self._mapped = ruleset.canonicalizer, marks[1]
        return ruleset

    def load_mappers(self) -> Ruleset:
        """Read the mappers only: without policies everything is refused.

        Raises:
            CheckreinError: with every problem of every file.
        """
        return Ruleset(Canonicalizer.load(self._mapper_paths()), Bundle.empty())

    async def start(self, keeper: RulesetKeeper) -> None:
        """Begin to look for changes, and give them to the keeper."""
        self._task = asyncio.create_task(self._follow(keeper), name="ruleset-files")

    async def stop(self) -> None:
        await end_tasks([self._task])

    def force(self) -> None:
        self._forced.set()

    def describe(self) -> str | None:
        return None

    # --- looking ----------------------------------------------------------------------------------

    async def _follow(self, keeper: RulesetKeeper) -> None:
        """Look for ever. Nothing ends this: what is not taken must not look as if it was."""
        seen, restless = self._judged, 0
        while True:
            is_forced = await wait_at_most(self._forced, self._poll_seconds)
            self._forced.clear()
            try:
                marks = await in_background(self._look)
                if marks == self._judged and not is_forced:
                    seen, restless = marks, 0
                    continue
                if marks != seen and not is_forced and restless < RESTLESS_LOOKS_MAX:
                    seen, restless = marks, restless + 1
                    continue
                at_once = is_forced or restless >= RESTLESS_LOOKS_MAX
                if await self._take(keeper, marks, at_once=at_once, with_mappers=is_forced):
                    seen, restless = marks, 0
                else:
                    seen, restless = self._judged, restless + 1
            except Exception:
                log.exception("looking for changed rules failed")
                telemetry.BUGS.inc()

    async def _take(
        self,
        keeper: RulesetKeeper,
        marks: tuple[Marks, Marks],
        *,
        at_once: bool,
        with_mappers: bool,
    ) -> bool:
        """Load what is there and give it to the keeper, or say what is wrong with it. False when
        it changed meanwhile, and nothing was made of it."""
        read: Ruleset | CheckreinError
        try:
            is_mapped_anew = with_mappers or marks[1] != self._mapped
            read = await in_background(self._read, with_mappers=is_mapped_anew)
        except CheckreinError as error:
            read = error
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            read = CheckreinError("ruleset.unreadable", f"the rules can't be read: {reason}")
        if not at_once and await in_background(self._look) != marks:
            return False
        self._judged = marks
        if isinstance(read, CheckreinError):
            keeper.refuse(read)
            return True
        self._canonicalizer, self._mapped = read.canonicalizer, marks[1]
        keeper.adopt(read)
        return True

    def _look(self) -> tuple[Marks, Marks]:
        return load_marks(self._policy_paths()), load_marks(self._mapper_paths(), CATALOGS)

    def _read(self, *, with_mappers: bool) -> Ruleset:
        """Read the policies; the mappers only where they changed, because those in force have
        their catalogs at hand."""
        canonicalizer = self._canonicalizer
        if canonicalizer is None or with_mappers:
            canonicalizer = Canonicalizer.load(self._mapper_paths())
        bundle = load_bundle(self._policy_paths(), canonicalizer.vocabulary())
        return Ruleset(canonicalizer, bundle)


def load_marks(paths: Iterable[Path], *folders: str) -> Marks:
    """What tells that a file changed, for files, and for those of folders and of their `folders`
    inside. What isn't there has a mark too."""
    marks: list[Mark] = []
    for path in paths:
        place = str(path)
        if _add_mark(marks, place):
            _add_folder(marks, place)
            for folder in folders:
                _add_folder(marks, f"{place}/{folder}")
    return tuple(marks)


def _add_folder(marks: list[Mark], place: str) -> None:
    with suppress(OSError), os.scandir(place) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        for name in names[:FILES_LOOKED_AT_MAX]:
            _add_mark(marks, f"{place}/{name}")


def _add_mark(marks: list[Mark], path: str) -> bool:
    """Add the mark of one path; whether it is a folder."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the cost, for every file at every look
    except OSError as error:
        marks.append((path, 0, -1, error.errno or 0, 0))
        return False
    if stat.S_ISDIR(found.st_mode):
        # Its times change with every editor's swap file; what is in it is looked at by itself.
        marks.append((path, found.st_ino, 0, 0, 0))
        return True
    marks.append((path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return False
