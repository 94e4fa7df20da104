"""The formats of the record against known answers, which another implementer can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.record.log.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from gateway.record.log.signed_note import Signer, VerifierKey, open_note, sign

VECTORS = Path(__file__).parent / "vectors" / "audit"


def vectors(name: str) -> dict[str, Any]:
    """A file of known answers."""
    loaded: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return loaded


MERKLE = vectors("merkle")
LEAVES = [leaf_hash(bytes.fromhex(leaf)) for leaf in MERKLE["leaves"]]
ROOTS = [bytes.fromhex(root) for root in MERKLE["roots"]]


def hashes(path: list[str]) -> list[bytes]:
    """A path of hexadecimal hashes."""
    return [bytes.fromhex(each) for each in path]


def test_the_tree_has_the_published_roots() -> None:
    """Eight leaves, one after the other."""
    frontier = Frontier()
    found = [frontier.root()]
    for leaf in LEAVES:
        frontier.append(leaf)
        found.append(frontier.root())
    assert found == ROOTS


@pytest.mark.parametrize("case", MERKLE["inclusion"], ids=lambda c: f"{c['index']} of {c['size']}")
def test_published_inclusion_proofs_verify(case: dict[str, Any]) -> None:
    """As the reference implementation of Certificate Transparency has them."""
    index, size = case["index"], case["size"]
    assert verify_inclusion(index, size, LEAVES[index], hashes(case["path"]), ROOTS[size])


@pytest.mark.parametrize("case", MERKLE["consistency"], ids=lambda c: f"{c['old']} to {c['new']}")
def test_published_consistency_proofs_verify(case: dict[str, Any]) -> None:
    """As the reference implementation of Certificate Transparency has them."""
    old, new = case["old"], case["new"]
    assert verify_consistency(old, ROOTS[old], new, ROOTS[new], hashes(case["path"]))


@pytest.mark.parametrize("case", vectors("signed_notes")["good"], ids=lambda c: c["key"][:12])
def test_notes_of_other_implementations_open(case: dict[str, Any]) -> None:
    """And where the private key is public too, we sign the same bytes."""
    key = VerifierKey.parse(case["key"])
    assert open_note(case["note"], [key]) == case["text"]
    if "seed" in case:
        signer = Signer.from_private_bytes(key.name, bytes.fromhex(case["seed"]))
        assert signer.verifier_key == case["key"]
        assert sign(case["text"], signer) == case["note"]
