"""The Merkle tree against a naive one that is written as RFC 6962 says it, for every small size."""

from __future__ import annotations

import functools
import hashlib

import pytest

from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    RangeVerifier,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    perfect_ranges,
    range_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZE_MAX = 70
"""Past 64: every shape of a right edge up to six levels."""

LEAVES = [leaf_hash(b"leaf %d" % index) for index in range(SIZE_MAX)]


@functools.cache
def root(begin: int, end: int) -> bytes:
    """MTH(D[begin:end]), recursively."""
    count = end - begin
    if count == 0:
        return hashlib.sha256().digest()
    if count == 1:
        return LEAVES[begin]
    split = 1
    while split * 2 < count:
        split *= 2
    left, right = root(begin, begin + split), root(begin + split, end)
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(ranges: list[tuple[int, int]]) -> list[bytes]:
    return [root(begin, end) for begin, end in ranges]


def test_a_frontier_knows_the_root_of_every_size() -> None:
    """Leaf by leaf, from the start and resumed from what is kept."""
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier = Frontier(frontier.size, frontier.hashes)
        frontier.append(leaf)
        assert frontier.root() == root(0, size)
        assert list(frontier.hashes) == roots(perfect_ranges(0, size))


def test_a_range_of_a_proof_is_the_fold_of_its_perfect_subtrees() -> None:
    """Who keeps only perfect subtrees can serve every proof."""
    for size in range(2, SIZE_MAX + 1):
        for index in range(size):
            for begin, end in inclusion_ranges(index, size):
                assert root_of(roots(perfect_ranges(begin, end))) == root(begin, end)


def test_every_inclusion_proof_verifies_and_no_other() -> None:
    """Every leaf of every size; then another leaf, index, root, and a shorter or longer path."""
    for size in range(1, SIZE_MAX + 1):
        for index in range(size):
            path, whole = roots(inclusion_ranges(index, size)), root(0, size)
            leaf = LEAVES[index]
            assert verify_inclusion(index, size, leaf, path, whole)
            assert not verify_inclusion(index, size, leaf_hash(b"other"), path, whole)
            assert not verify_inclusion(index, size, leaf, path, root(0, size - 1))
            assert not verify_inclusion(index, size, leaf, [*path, whole], whole)
            assert not verify_inclusion(size, size, leaf, path, whole)
            if path:
                assert not verify_inclusion(index, size, leaf, path[:-1], whole)
                assert not verify_inclusion(index ^ 1, size, leaf, path, whole)


def test_every_consistency_proof_verifies_and_no_other() -> None:
    """Every pair of sizes; then a forked old tree, a forked new one, a shorter or longer path."""
    other = leaf_hash(b"other")
    for new in range(1, SIZE_MAX + 1):
        for old in range(new + 1):
            path = roots(consistency_ranges(old, new))
            sides = old, root(0, old), new, root(0, new)
            assert verify_consistency(*sides, path)
            assert not verify_consistency(old, other, new, root(0, new), path)
            assert not verify_consistency(*sides, [*path, other])
            if 0 < old < new:
                assert not verify_consistency(old, root(0, old), new, other, path)
                assert not verify_consistency(*sides, path[:-1])
                assert not verify_consistency(*sides, [other, *path[1:]])


def test_a_smaller_tree_is_never_consistent() -> None:
    """A log that shrank has no proof."""
    assert not verify_consistency(5, root(0, 5), 4, root(0, 4), [])
    with pytest.raises(ValueError, match="never had 5"):
        consistency_ranges(5, 4)


def test_every_range_of_leaves_verifies_against_the_whole() -> None:
    """An export of any part, of every size up to 40."""
    for size in range(41):
        for begin in range(size + 1):
            for end in range(begin, size + 1):
                left, right = map(roots, range_proof(begin, end, size))
                verifier = RangeVerifier(begin, end, size, left, right)
                for leaf in LEAVES[begin:end]:
                    verifier.append(leaf)
                assert verifier.root() == root(0, size)


def test_a_range_with_a_leaf_too_few_or_other_hashes_is_refused() -> None:
    """The numbers of hashes and leaves follow from the range alone."""
    left, right = map(roots, range_proof(3, 6, 11))
    short = RangeVerifier(3, 6, 11, left, right)
    short.append(LEAVES[3])
    with pytest.raises(ValueError, match="another number of leaves"):
        short.root()
    with pytest.raises(ValueError, match="on its right"):
        RangeVerifier(3, 6, 11, left, right[:-1])
    with pytest.raises(ValueError, match="perfect subtrees"):
        RangeVerifier(3, 6, 11, left[:-1], right)
    with pytest.raises(ValueError, match="has no leaves 3 to 12"):
        RangeVerifier(3, 12, 11, left, right)
    with pytest.raises(ValueError, match="32 bytes"):
        RangeVerifier(3, 6, 11, [b"", *left[1:]], right)


def test_a_leaf_is_a_place_and_a_hash_and_never_two_records() -> None:
    """No part of a leaf can hold the end of another part."""
    digest = "ab" * 32
    assert leaf_data("gw_1", 7, digest) == b"checkrein/record\ngw_1\n7\n" + b"ab" * 32 + b"\n"
    for gateway, seq, each in [
        ("gw\n1", 7, digest),
        ("", 7, digest),
        ("gw_1\n", 7, digest),
        ("gw_1", 0, digest),
        ("gw_1", 7, digest.upper()),
        ("gw_1", 7, digest + "\n"),
    ]:
        with pytest.raises(ValueError, match="a leaf needs"):
            leaf_data(gateway, seq, each)
