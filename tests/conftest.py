"""Settings of every test: the room that a whole run needs, what the collector of garbage looks at,
which plugins stay, the order in which several workers take the files; and the one Postgres of a
worker, for those tests that ask."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.room import lack_of_room

if TYPE_CHECKING:
    from controlplane.store.embedded import EmbeddedPostgres

FOLDERS = ("end_to_end", "structure", "contract", "integration", "property", "unit")
"""From the longest files to the shortest: what is left at the end, when one worker may have nothing
more to do, takes a second."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin no whole run without room for it. Keep xdist from its own order, by numbers of tests,
    which leaves the longest for the end."""
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if is_whole and not hasattr(config, "workerinput") and (lack := lack_of_room()):
        raise pytest.UsageError(lack)
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while everything is imported: all of it stays, and each look at it costs
    more than the one before."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give workers the files by folder; a run without workers keeps its order."""
    if hasattr(config, "workerinput"):
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.nodeid.removeprefix("tests/").partition("/")[0]
    return FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what was imported and collected out of every later look for garbage, as it lives to the
    end. What the tests themselves make is still looked at. No look before: the little that is
    garbage by now costs less memory than to find it costs time."""
    gc.freeze()
    # Without a property its plugin would load the whole library at the end, to say nothing.
    if "hypothesis" not in sys.modules:
        session.config.pluginmanager.unregister(name="hypothesispytest")


# Imported where they are used: unit tests need no database, and are quicker without its driver.


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The session's server; at its end it is stopped, and its files are removed."""
    from tests.support.database import serving

    with serving(tmp_path_factory.mktemp("database")) as server:
        yield server


@pytest.fixture(scope="module")
def database_name(postgres_server: EmbeddedPostgres) -> str:
    """A fresh, migrated database."""
    from tests.support.database import make_database

    return make_database(postgres_server)


@pytest.fixture(scope="module", autouse=True)
def _databases_go_with_their_module() -> Iterator[None]:
    yield
    if "tests.support.database" in sys.modules:
        from tests.support.database import drop_databases

        drop_databases()
