"""The pool of connections, with limits, and every fault of the driver mapped in one place.

What a statement can't do because the server is away, full, slow or read-only becomes the fault
UNAVAILABLE; anything else that the driver raises is a bug of ours and passes through.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from controlplane.faults import ControlFault, Fault, StartError
from controlplane.store.endpoint import Endpoint
from controlplane.store.tenancy import acting, actor

SCHEMA = "checkrein"

Row = Any
"""An `asyncpg.Record`; the driver has no types. It does not leave `store`."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Limits of the pool.

    `connection_count_max` stays well below the embedded server's 40: two replicas may share one.
    `acquire_seconds_max` is short so that a full pool turns into 503 instead of a queue.
    """

    connection_count_max: int = 12
    acquire_seconds_max: float = 2.0
    connect_seconds_max: float = 5.0
    statement_seconds_max: float = 5.0
    idle_seconds_max: float = 300.0
    start_attempts_max: int = 5
    start_pause_seconds: float = 0.5
    close_seconds_max: float = 1.0


_ACT_FOR = (
    "select set_config('checkrein.tenant', $1, false), set_config('checkrein.by', $2, false), "
    "set_config('checkrein.by_key', $3, false)"
)

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


@contextlib.contextmanager
def mapped_faults() -> Iterator[None]:
    """Turn the driver's exceptions into our fault."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, ValueError):
            raise  # a value of the wrong type: our bug
        raise ControlFault(Fault.UNAVAILABLE, "the database can't answer now; try again") from error


class Database:
    """Statements on a pool. Made by `open_database`."""

    def __init__(self, pool: Any, settings: PoolSettings) -> None:
        self._pool = pool
        self._settings = settings

    @property
    def connection_count(self) -> int:
        return int(self._pool.get_size())

    @property
    def idle_count(self) -> int:
        return int(self._pool.get_idle_size())

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Borrow a connection that acts for whom `tenancy` says. The pool's reset takes it back."""
        with mapped_faults():
            async with self._pool.acquire(timeout=self._settings.acquire_seconds_max) as borrowed:
                if (tenant := acting()) is not None:
                    by = actor()
                    key = "" if by.key_id is None else str(by.key_id)
                    await borrowed.fetchval(_ACT_FOR, tenant, by.name, key)
                yield borrowed

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Borrow a connection in a transaction (READ COMMITTED); an exception rolls it back."""
        async with self.connection() as borrowed, borrowed.transaction():
            yield borrowed

    async def row(self, query: str, *values: object) -> Row | None:
        async with self.connection() as borrowed:
            return await borrowed.fetchrow(query, *values)

    async def rows(self, query: str, *values: object) -> Sequence[Row]:
        async with self.connection() as borrowed:
            found: Sequence[Row] = await borrowed.fetch(query, *values)
            return found

    async def close(self) -> None:
        """Close every connection, politely at first."""
        try:
            async with asyncio.timeout(self._settings.close_seconds_max):
                await self._pool.close()
        except (TimeoutError, *_AWAY):
            self._pool.terminate()


async def open_database(
    endpoint: Endpoint, settings: PoolSettings, *, set_role: str | None = None
) -> Database:
    """Open the pool with one connection, trying again for a while.

    `set_role` is the role that every connection takes on at once.

    Raises:
        StartError: the server can't be reached or does not let us in.
    """

    async def prepare(connection: Any) -> None:
        if set_role is not None:
            await connection.execute(f'set role "{set_role}"')

    async def attempt() -> Any:
        return await asyncpg.create_pool(
            **endpoint.arguments(),
            min_size=1,
            max_size=settings.connection_count_max,
            timeout=settings.connect_seconds_max,
            command_timeout=settings.statement_seconds_max,
            max_inactive_connection_lifetime=settings.idle_seconds_max,
            init=prepare if set_role is not None else None,
            server_settings=session_settings(settings),
        )

    return Database(await try_to_connect(attempt, settings), settings)


def session_settings(settings: PoolSettings) -> dict[str, str]:
    """What every session of ours says to the server. The server's own limit is the second wall:
    it ends a statement whose client is gone."""
    milliseconds = str(int(settings.statement_seconds_max * 1000))
    return {
        "application_name": "checkrein",
        "search_path": SCHEMA,
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "timezone": "UTC",
    }


async def try_to_connect(attempt: Any, settings: PoolSettings) -> Any:
    """Call `attempt` until it succeeds or the attempts are used up."""
    started = time.monotonic()
    for number in range(settings.start_attempts_max):
        try:
            return await attempt()
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError):
            raise _unreachable("it refuses the user, the password or the database") from None
        except (ValueError, asyncpg.ClientConfigurationError):
            # The driver's message repeats the URL with the password in it.
            raise _unreachable("the address is not a PostgreSQL URL") from None
        except _AWAY as error:
            if number + 1 == settings.start_attempts_max:
                seconds = time.monotonic() - started
                why = f"no connection after {seconds:.0f} s ({type(error).__name__})"
                raise _unreachable(why) from error
        await asyncio.sleep(settings.start_pause_seconds * 2**number)
    raise AssertionError("the last attempt raises")


def _unreachable(why: str) -> StartError:
    return StartError(
        "store.unreachable",
        f"the database can't be used: {why}",
        "check CHECKREIN_DATABASE_URL (postgresql://user:password@host:5432/database), "
        "or unset it to use the embedded one",
    )
