"""The Merkle tree of RFC 6962, section 2: roots as leaves come, proofs, and their verdicts. Pure.

What proofs are made of is said as ranges of leaves, because who keeps the leaves differs: a
database, an export, a list in a test. Hashes are 32 raw bytes. Nothing here knows what a leaf is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves."""

Range = tuple[int, int]
"""Leaves from the first up to, and without, the second."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: 0x00 before its data, so that no node can pose as a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows by its right edge: the roots of its perfect subtrees, largest first.

    They are as many as `size` has bits set, and all that is needed to go on and to know the root.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Raises ValueError: the hashes are not those of a tree of this size."""
        self._size = size
        self._hashes = list(hashes)
        if size < 0 or len(self._hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has another number of perfect subtrees")
        if any(len(each) != HASH_BYTES for each in self._hashes):
            raise ValueError("a subtree's hash has 32 bytes")

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first; with `size`, all that must be kept."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its `leaf_hash`."""
        size = self._size
        self._size = size + 1
        hashes = self._hashes
        while size & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)

    def append_subtree(self, root: bytes, leaf_count: int) -> None:
        """Add a perfect subtree at once; `leaf_count` is a power of two that divides `size`."""
        if leaf_count < 1 or leaf_count & (leaf_count - 1) or self._size % leaf_count:
            raise ValueError("a perfect subtree stands at a multiple of its own size")
        filled = self._size // leaf_count
        self._size += leaf_count
        while filled & 1:
            root = node_hash(self._hashes.pop(), root)
            filled >>= 1
        self._hashes.append(root)

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return root_of(self._hashes)


def root_of(subtrees: Sequence[bytes]) -> bytes:
    """The root over neighbouring perfect subtrees, given from left to right: those of
    `perfect_ranges` of a whole tree, or of one range that a proof names."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for each in reversed(subtrees[:-1]):
        root = node_hash(each, root)
    return root


def perfect_ranges(begin: int, end: int) -> list[Range]:
    """Cut leaves into the largest perfect subtrees of the tree, from left to right."""
    ranges = []
    while begin < end:
        width = 1 << ((end - begin).bit_length() - 1)
        if begin:
            width = min(width, begin & -begin)
        ranges.append((begin, begin + width))
        begin += width
    return ranges


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that leaf `index` is in the tree, from the leaf upwards.

    RFC 6962, section 2.1.1. Raises ValueError where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    ranges = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots prove that the first `old` leaves of `new` are as they were.

    RFC 6962, section 2.1.2. Empty where nothing needs a proof: `old` is 0 or `new`.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves never had {old}")
    if old in (0, new):
        return []
    ranges = []
    begin, end = 0, new
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    if begin:
        ranges.append((begin, end))
    return ranges[::-1]


def range_proof(begin: int, end: int, size: int) -> tuple[list[Range], list[Range]]:
    """The perfect subtrees left and right of the leaves [begin, end) in a tree of `size`."""
    if not 0 <= begin <= end <= size:
        raise ValueError(f"a tree of {size} leaves has no leaves {begin} to {end}")
    return perfect_ranges(0, begin), perfect_ranges(end, size)


class RangeVerifier:
    """Leaves [begin, end) as they come -> the root of the whole tree that they must lie in."""

    def __init__(
        self, begin: int, end: int, size: int, left: Sequence[bytes], right: Sequence[bytes]
    ) -> None:
        """Raises ValueError: the proof is not one of this range and size."""
        _, self._right_ranges = range_proof(begin, end, size)
        self._right = tuple(right)
        if len(self._right) != len(self._right_ranges):
            raise ValueError("the proof of the range has another number of hashes on its right")
        self._end = end
        self._frontier = Frontier(begin, left)
        self.append = self._frontier.append

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The perfect subtrees left of what comes next; their `root_of` is the root so far."""
        return self._frontier.hashes

    def root(self) -> bytes:
        """The root of the whole tree, once every leaf of the range was given.

        Raises ValueError: there were more or fewer leaves than the range has.
        """
        if self._frontier.size != self._end:
            raise ValueError("the range has another number of leaves")
        whole = Frontier(self._frontier.size, self._frontier.hashes)
        for (begin, end), each in zip(self._right_ranges, self._right, strict=True):
            whole.append_subtree(each, end - begin)
        return whole.root()


def verify_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether `path` proves the leaf of hash `leaf` at `index` under `root`.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    node, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(each, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, each)
        node >>= 1
        last >>= 1
    return last == 0 and found == root


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether `path` proves that the tree of `new_size` only added to that of `old_size`.

    RFC 9162, section 2.1.4.2. A tree is consistent with the empty one and with itself.
    """
    if not 0 <= old_size <= new_size or not _are_hashes(old_root, new_root, *path):
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT
    rest = list(path)
    if old_size & (old_size - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_found = new_found = rest[0]
    for each in rest[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_found = node_hash(each, old_found)
            new_found = node_hash(each, new_found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new_found = node_hash(new_found, each)
        node >>= 1
        last >>= 1
    return last == 0 and old_found == old_root and new_found == new_root


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
