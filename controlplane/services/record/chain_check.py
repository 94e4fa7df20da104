"""Recomputes a gateway's chain out of the stored records: hashes, predecessors, numbers.

What is proven is said by `ChainVerdict` and no more: that these lines follow each other as they
stand. Whoever can rewrite a whole chain can make it fit; only a head that was kept elsewhere (the
gateway's own, an export) shows that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import not_found
from controlplane.store.explorer import ExplorerStore
from gateway.model.errors import ChainError
from gateway.record.chain import FIRST_SEQ, ZERO_HASH, ChainVerifier

NEIGHBOURS: Final = 50
"""Records on each side of one that is verified by itself: the next one vouches for its hash."""

CHUNK: Final = 500
"""Recomputed at a stretch: some milliseconds in which no request is answered."""

AT_ONCE_MAX: Final = 20_000
"""Of one request; a longer chain is verified in several, each going on where the last one ended."""


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Records `first` to `last` of a gateway are one unbroken chain, or `broken` says where not.
    `head_seq` is the gateway's newest stored record; `head` the hash of the last one verified. Of
    `erased_count` the hash alone is left."""

    gateway_id: str
    first: int
    last: int
    count: int
    head: str
    head_seq: int
    broken_seq: int | None = None
    broken: str = ""
    erased_count: int = 0

    @property
    def is_intact(self) -> bool:
        return not self.broken

    @property
    def next_seq(self) -> int | None:
        """Where to go on; None at the end, and where it is broken."""
        return None if self.broken or self.last >= self.head_seq else self.last + 1


class ChainCheck:
    def __init__(self, store: ExplorerStore) -> None:
        self._store = store

    async def around(
        self, caller: Caller, gateway_id: str, seqs: Sequence[int]
    ) -> Sequence[ChainVerdict]:
        """Verify records among their neighbours; those that are near each other together.

        Raises:
            ControlFault: NOT_FOUND.
        """
        verdicts: list[ChainVerdict] = []
        ordered = sorted(set(seqs))
        while ordered:
            begin = end = ordered.pop(0)
            while ordered and ordered[0] - end <= 2 * NEIGHBOURS:
                end = ordered.pop(0)
            first = max(FIRST_SEQ, begin - NEIGHBOURS)
            verdicts.append(await self._verify(caller, gateway_id, first, end + NEIGHBOURS + 1))
        return verdicts

    async def onward(self, caller: Caller, gateway_id: str, first: int) -> ChainVerdict:
        """Verify a chain from `first` on, as far as one request goes.

        Raises:
            ControlFault: NOT_FOUND.
        """
        return await self._verify(caller, gateway_id, first, first + AT_ONCE_MAX)

    async def _verify(self, caller: Caller, gateway_id: str, first: int, end: int) -> ChainVerdict:
        store, tenant_id = self._store, caller.tenant_id
        known = await store.chain_head(tenant_id, gateway_id)
        if known is None or not FIRST_SEQ <= first <= known.seq:
            raise not_found("record of this gateway")
        end = min(end, known.seq + 1)
        verifier = ChainVerifier(
            gateway=gateway_id, first_seq=first, prev=await self._before(caller, gateway_id, first)
        )
        at, head, erased = first, "", 0
        try:
            while at < end:
                upto = min(at + CHUNK, end)
                rows = await store.chain(tenant_id, gateway_id, at, upto)
                for row in rows:
                    if row.line is None:
                        # Its hash is what is left: the next one vouches for it.
                        verifier.finish()
                        head = row.hash
                        verifier = ChainVerifier(
                            gateway=gateway_id, first_seq=row.seq + 1, prev=head
                        )
                        erased += 1
                        continue
                    verifier.accept(row.line.encode())
                    head = hashlib.sha256(row.line.encode()).hexdigest()
                    if head != row.hash:
                        raise ChainError(f"record {row.seq} is not what was stored of it", row.seq)
                if len(rows) < upto - at:
                    missing = at + len(rows)
                    raise ChainError(f"record {missing} is missing", missing)
                at = upto
                await asyncio.sleep(0)
            verifier.finish()
            if end == known.seq + 1 and head != known.hash:
                raise ChainError("the last record is not the known head of this gateway", known.seq)
        except ChainError as error:
            broken = (error.seq, str(error), erased)
            return ChainVerdict(gateway_id, first, at - 1, at - first, head, known.seq, *broken)
        return ChainVerdict(
            gateway_id, first, end - 1, end - first, head, known.seq, erased_count=erased
        )

    async def _before(self, caller: Caller, gateway_id: str, first: int) -> str:
        """The hash that the first record has to name, recomputed from the one before it."""
        if first == FIRST_SEQ:
            return ZERO_HASH
        rows = await self._store.chain(caller.tenant_id, gateway_id, first - 1, first)
        if not rows:
            return ""
        line = rows[0].line
        return rows[0].hash if line is None else hashlib.sha256(line.encode()).hexdigest()
