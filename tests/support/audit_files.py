"""Logs, exports and proofs made apart from the product's own code, as its page for auditors says.

Nothing is imported from the product: hashes, trees and notes are written here once more, plainly
and slowly, so that a mistake in the product can't hide in the files that it is tested with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TENANT = "7d9f5c5e-3f43-4a52-9a53-0d8f6c1c2b11"
ORIGIN = f"checkrein/log/{TENANT}"
AT = "2026-11-21T04:00:00.000000Z"


def sha(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(data).decode()


@functools.cache
def private_key(name: str) -> Ed25519PrivateKey:
    """Always the same key under a name of a test's choice."""
    return Ed25519PrivateKey.from_private_bytes(sha(name.encode()))


def key_hash(name: str, secret: str) -> bytes:
    """The four bytes that name a key."""
    public = private_key(secret).public_key().public_bytes_raw()
    return sha(name.encode() + b"\n\x01" + public)[:4]


def verifier_key(name: str, secret: str) -> str:
    """A verifier key as people are given it."""
    public = private_key(secret).public_key().public_bytes_raw()
    return f"{name}+{key_hash(name, secret).hex()}+{b64(bytes([1]) + public)}"


def note(text: str, name: str, *secrets: str) -> str:
    """A signed note."""
    lines = [
        f"\u2014 {name} {b64(key_hash(name, each) + private_key(each).sign(text.encode()))}\n"
        for each in secrets
    ]
    return text + "\n" + "".join(lines)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962's MTH over hashes of leaves."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 6962's PATH."""
    if len(leaves) <= 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*inclusion(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion(leaves[split:], index - split), root_of(leaves[:split])]


def consistency(leaves: Sequence[bytes], old: int, *, is_whole: bool = True) -> list[bytes]:
    """RFC 6962's SUBPROOF."""
    if old in (0, len(leaves)):
        return [] if is_whole else [root_of(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        path = consistency(leaves[:split], old, is_whole=is_whole)
        return [*path, root_of(leaves[split:])]
    return [*consistency(leaves[split:], old - split, is_whole=False), root_of(leaves[:split])]


def perfect(begin: int, end: int) -> list[tuple[int, int]]:
    """The largest aligned blocks of leaves, from left to right."""
    found = []
    while begin < end:
        width = 1
        while begin % (width * 2) == 0 and begin + width * 2 <= end:
            width *= 2
        found.append((begin, begin + width))
        begin += width
    return found


def compact(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def canonical(value: object) -> str:
    """JSON without spaces, names in order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


@dataclass
class MadeGateway:
    """One gateway that writes lines."""

    name: str
    lines: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    heads: list[tuple[int, str]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"checkrein/gateway/{self.name}"

    def keys(self) -> list[str]:
        return [verifier_key(self.origin, each) for each in self.secrets]

    def write(self, **fields: Any) -> str:
        prev = sha(self.lines[-1].encode()).hex() if self.lines else "0" * 64
        placed = {"v": 1, "gateway": self.name, "seq": len(self.lines) + 1, "prev": prev}
        self.lines.append(canonical({"at": AT, **fields, **placed}))
        return self.lines[-1]

    def announce_key(self, secret: str) -> str:
        key = verifier_key(self.origin, secret)
        signers = [secret, *self.secrets[-1:]]
        self.secrets.append(secret)
        proof = note(key + "\n", self.origin, *signers)
        return self.write(kind="gateway", event="signing_key", detail=key, key_proof=proof)

    def sign_head(self) -> None:
        text = f"{self.origin}\n{len(self.lines)}\n{b64(sha(self.lines[-1].encode()))}\n"
        self.heads.append((len(self.lines), note(text, self.origin, self.secrets[-1])))


class MadeLog:
    """A tenant's log of some gateways' lines, `count` in all, in a fixed mixture.

    Each gateway announces its key first; the first one takes another key half way. Each fourth
    record ends a batch of its gateway and is signed, and so is each gateway's last.
    """

    def __init__(
        self, count: int, gateways: Sequence[str] = ("gw_a", "gw_b", "gw_c"), pad: str = ""
    ) -> None:
        self.gateways = {name: MadeGateway(name) for name in gateways}
        self.lines: list[str] = []
        order = list(self.gateways.values())
        for index in range(count):
            gateway = order[(index * 7 // 3) % len(order)]
            self.lines.append(self._write(gateway, index, count, pad))
            if len(gateway.lines) % 4 == 0:
                gateway.sign_head()
        for gateway in order:
            if gateway.lines and (not gateway.heads or gateway.heads[-1][0] < len(gateway.lines)):
                gateway.sign_head()
        self.leaves = [self.leaf(line) for line in self.lines]

    def _write(self, gateway: MadeGateway, index: int, count: int, pad: str) -> str:
        if not gateway.lines:
            return gateway.announce_key(f"{gateway.name} first")
        is_first = gateway is next(iter(self.gateways.values()))
        if is_first and index * 2 >= count and len(gateway.secrets) == 1:
            return gateway.announce_key(f"{gateway.name} second")
        done = (len(gateway.lines) - 1) // 2
        shared = {"decision_id": f"dec_{gateway.name}_{done}", "request_id": f"req_{done}"}
        if len(gateway.lines) % 2:
            params = {"note": f'"prev":"{pad}', "seq": 7, "kind": "intent", "prev": "x"}
            return gateway.write(
                kind="intent", agent="billing", actions=[{"params": params}], effect="ALLOW",
                risk={"factors": [], "score": 3}, **shared,
            )  # fmt: skip
        return gateway.write(kind="outcome", outcome="executed", status=200, **shared)

    @staticmethod
    def leaf(line: str) -> bytes:
        """The hash of a line's leaf."""
        value = json.loads(line)
        digest = sha(line.encode()).hex()
        place = f"checkrein/record\n{value['gateway']}\n{value['seq']}\n{digest}\n"
        return sha(b"\x00" + place.encode())

    @property
    def key(self) -> str:
        """The log's verifier key."""
        return verifier_key(ORIGIN, "the log")

    def checkpoint(self, size: int | None = None, secret: str = "the log", *more: str) -> str:
        """What is signed of the first `size` records."""
        size = len(self.lines) if size is None else size
        root = b64(root_of(self.leaves[:size]))
        lines = "".join(f"{each}\n" for each in (ORIGIN, str(size), root, *more))
        return note(lines, ORIGIN, secret)

    def header(self, first: int = 0, count: int | None = None, size: int | None = None) -> Any:
        """The first line of an export, before it is written."""
        size = len(self.lines) if size is None else size
        count = size - first if count is None else count
        places = [json.loads(line) for line in self.lines[first : first + count]]
        around = perfect(0, first), perfect(first + count, size)
        left, right = (
            [b64(root_of(self.leaves[begin:end])) for begin, end in part] for part in around
        )
        return {
            "export": "checkrein/1",
            "tenant": TENANT,
            "origin": ORIGIN,
            "first": first,
            "count": count,
            "size": size,
            "checkpoint": self.checkpoint(size),
            "log_key": self.key,
            "left": left,
            "right": right,
            "gateways": [
                self._claims(gateway, [p["seq"] for p in places if p["gateway"] == gateway.name])
                for gateway in self.gateways.values()
                if any(place["gateway"] == gateway.name for place in places)
            ],
        }

    @staticmethod
    def _claims(gateway: MadeGateway, seqs: Sequence[int]) -> dict[str, Any]:
        heads = [each for seq, each in gateway.heads if seqs[0] <= seq <= seqs[-1]]
        keys = [
            key
            for key, secret in zip(gateway.keys(), gateway.secrets, strict=True)
            if any(f" {b64(key_hash(gateway.origin, secret))[:5]}" in head for head in heads)
        ]
        return {"id": gateway.name, "keys": keys, "heads": heads}

    def export(
        self,
        first: int = 0,
        count: int | None = None,
        size: int | None = None,
        erased: Collection[int] = (),
    ) -> bytes:
        """The bytes of an export; the indexes in `erased` without their lines."""
        header = self.header(first, count, size)
        chosen = range(first, first + header["count"])
        lines = [self.erased(i) if i in erased else self.lines[i] for i in chosen]
        return "".join(line + "\n" for line in [compact(header), *lines]).encode()

    def erased(self, index: int) -> str:
        """What stands in the place of an erased line."""
        line = self.lines[index]
        value = json.loads(line)
        place = {name: value[name] for name in ("gateway", "prev", "seq")}
        return canonical({"erased": {**place, "hash": sha(line.encode()).hex()}})

    def proof(self, index: int, size: int | None = None) -> bytes:
        """The proof of one record."""
        size = len(self.lines) if size is None else size
        path = [b64(each) for each in inclusion(self.leaves[:size], index)]
        text = "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *path, "", ""])
        value = json.loads(self.lines[index])
        proof = {"proof": "checkrein/1", "line": self.lines[index], "gateway": value["gateway"]}
        proof |= {"seq": value["seq"], "tlog_proof": text + self.checkpoint(size)}
        return compact(proof).encode() + b"\n"

    def consistency(self, old: int, new: int) -> bytes:
        """The proof that a newer checkpoint only added to an older one."""
        path = [b64(each) for each in consistency(self.leaves[:new], old)]
        proof: dict[str, Any] = {"consistency": "checkrein/1", "old": self.checkpoint(old)}
        proof |= {"new": self.checkpoint(new), "path": path}
        return compact(proof).encode() + b"\n"
