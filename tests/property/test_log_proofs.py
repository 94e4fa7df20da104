"""Proofs out of the rows that are kept are those of the whole tree, at any size, in any batches."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.services.log.growth import add_leaves
from controlplane.services.log.proofs import LogProofs
from controlplane.store.log import LEAVES, NodeRange
from gateway.record.log.merkle import Frontier, RangeVerifier, verify_consistency, verify_inclusion

SIZE_MAX = 66_000
"""Beyond 256 * 256, so that a third level takes part."""

TENANT = uuid.UUID(int=1)


class Rows:
    """What the database would hold of a log that grew in batches."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.frontier: tuple[bytes, ...] = ()
        self.read = 0

    def grow(self, count: int) -> None:
        size = len(self.leaves)
        new = [sha256(b"%d" % number).digest() for number in range(size, size + count)]
        nodes, self.frontier = add_leaves(size, self.frontier, new)
        self.leaves += new
        for node in nodes:
            assert (node.level, node.index) not in self.nodes, "a kept root never changes"
            self.nodes[node.level, node.index] = node.hash

    async def hashes(
        self, _: uuid.UUID, wanted: Sequence[NodeRange]
    ) -> Mapping[tuple[int, int], bytes]:
        found = {}
        for one in wanted:
            for index in range(one.first, one.past):
                if one.level == LEAVES:
                    found[LEAVES, index] = self.leaves[index]
                else:
                    found[one.level, index] = self.nodes[one.level, index]
        self.read += len(found)
        return found


@cache
def kept() -> tuple[Rows, LogProofs]:
    """A log of `SIZE_MAX` leaves, which grew by few and by many at once."""
    rows = Rows()
    for batch in (1, 1, 253, 2, 1, 510, 65_000, 232):
        rows.grow(batch)
    return rows, LogProofs(rows)  # type: ignore[arg-type]


@cache
def root_at(size: int) -> bytes:
    """The root of the first leaves, by adding them one by one."""
    tree = Frontier()
    for leaf in kept()[0].leaves[:size]:
        tree.append(leaf)
    return tree.root()


JOINTS = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, SIZE_MAX]
sizes = st.one_of(st.sampled_from(JOINTS), st.integers(1, 2_000))


@settings(max_examples=60, deadline=None)
@given(st.data(), sizes)
def test_each_leaf_is_proven_by_some_hundred_rows(data: st.DataObject, size: int) -> None:
    """Under the root of any size that the log had."""
    rows, proofs = kept()
    index = data.draw(st.integers(0, size - 1))
    rows.read = 0
    path = asyncio.run(proofs.inclusion(TENANT, index, size))
    assert verify_inclusion(index, size, rows.leaves[index], path, root_at(size))
    assert rows.read <= 3 * 512


@settings(max_examples=60, deadline=None)
@given(st.data(), sizes)
def test_each_size_is_the_beginning_of_each_larger_one(data: st.DataObject, new: int) -> None:
    """Whatever was shown before, the way to it is proven."""
    old = data.draw(st.one_of(st.integers(0, new), st.sampled_from([0, 1, new])))
    path = asyncio.run(kept()[1].consistency(TENANT, old, new))
    assert verify_consistency(old, root_at(old), new, root_at(new), path)


@settings(max_examples=30, deadline=None)
@given(st.data(), sizes)
def test_each_range_is_proven_by_what_stands_around_it(data: st.DataObject, size: int) -> None:
    """And the kept roots give the tree that the signer goes on with."""
    rows, proofs = kept()
    begin = data.draw(st.integers(0, size))
    end = min(size, begin + data.draw(st.integers(0, 600)))
    left, right = asyncio.run(proofs.around(TENANT, begin, end, size))
    verifier = RangeVerifier(begin, end, size, left, right)
    for leaf in rows.leaves[begin:end]:
        verifier.append(leaf)
    assert verifier.root() == root_at(size)
    assert Frontier(size, asyncio.run(proofs.frontier(TENANT, size))).root() == root_at(size)
