"""`python -m tests.contract.audit_vectors`: writes the known answers of the record's formats.

For who writes another verifier: `vectors/audit/example.jsonl` is the export that the page for
auditors works through, `formats.json` has each step of it, `exports.json` whole files, good and
bad, with the verdict that they must get. All are made by `tests.support.audit_files`, which shares
no code with the product; a test holds the files against what this makes, and the product too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.audit_edits import (
    duplicated,
    edited,
    exchanged,
    gateway_named,
    joined,
    lines_of,
    signed_anew,
    with_header,
    without,
)
from tests.support.audit_files import MadeLog, b64, inclusion, root_of, sha

FOLDER = Path(__file__).parent / "vectors" / "audit"
LOG = MadeLog(7, gateways=("gw_a", "gw_b"))


def example() -> bytes:
    """The export of the page."""
    return LOG.export()


def formats() -> dict[str, Any]:
    """Each record of the example, its leaf, its path; each root; and the signed texts."""
    records = []
    for index, line in enumerate(LOG.lines):
        value = json.loads(line)
        digest = sha(line.encode()).hex()
        place = f"checkrein/record\n{value['gateway']}\n{value['seq']}\n{digest}\n"
        records.append(
            {
                "index": index, "gateway": value["gateway"], "seq": value["seq"],
                "prev": value["prev"], "line": line, "line_hash": digest, "leaf_data": place,
                "leaf_hash": LOG.leaves[index].hex(),
                "path": [each.hex() for each in inclusion(LOG.leaves, index)],
                "proof": LOG.proof(index).decode(),
            }
        )  # fmt: skip
    sizes = range(len(LOG.lines) + 1)
    return {
        "about": "The export `example.jsonl`, step by step. Hashes are hexadecimal, paths go from "
        "the leaf to the root; `roots[n]` is the root of the first n records. Private keys are "
        "SHA-256 of `the log`, `gw_a first`, `gw_a second` and `gw_b first`.",
        "log_key": LOG.key,
        "gateway_keys": {name: each.keys() for name, each in LOG.gateways.items()},
        "records": records,
        "roots": [root_of(LOG.leaves[:size]).hex() for size in sizes],
        "checkpoints": [LOG.checkpoint(size) for size in sizes],
        "heads": {name: [head for _, head in each.heads] for name, each in LOG.gateways.items()},
        "consistency": [LOG.consistency(old, 7).decode() for old in sizes],
    }


def exports() -> dict[str, Any]:
    """Whole files, and what must be said of them: a status, and where the first bad record is."""
    whole = LOG.export()
    good, bad, poor = "verified", "tampered", "incomplete"
    cases: dict[str, tuple[bytes, str, int | None]] = {
        "all records": (whole, good, None),
        "a part": (LOG.export(1, 6), good, None),
        "no record of it": (LOG.export(3, 0), good, None),
        "two erased records": (LOG.export(erased={1, 4}), good, None),
        "an edited record": (edited(whole, 2, at="another time"), bad, 2),
        "an edited last record": (edited(whole, 6, at="another time"), bad, 6),
        "a deleted record": (without(whole, 2), bad, 5),
        "a record twice": (duplicated(whole, 2), bad, 3),
        "two records of two gateways exchanged": (exchanged(whole, 5, 6), bad, None),
        "a cut file": (joined(lines_of(whole)[:5]), bad, 4),
        "a line too many": (whole + lines_of(whole)[1] + b"\n", bad, 7),
        "a foreign key": (signed_anew(whole, "somebody"), bad, None),
        "a longer log": (with_header(whole, lambda h: h.update(size=8)), bad, None),
        "another left": (
            with_header(
                LOG.export(1, 6), lambda h: h["left"].__setitem__(0, b64(sha(b"another")))
            ), bad, None,
        ),
        "no heads of a gateway": (
            with_header(whole, lambda h: gateway_named(h, "gw_a").update(heads=[])), poor, None,
        ),
    }  # fmt: skip
    return {
        "about": "Exports, to be verified with `key`. `index` is where the first bad record is, "
        "null where that can't be told.",
        "key": LOG.key,
        "exports": [
            {"case": case, "status": status, "index": index, "export": data.decode()}
            for case, (data, status, index) in cases.items()
        ],
    }


def files() -> dict[str, bytes]:
    """Every file of known answers, and its bytes."""
    return {
        "example.jsonl": example(),
        "example.key": (LOG.key + "\n").encode(),
        "formats.json": _text(formats()),
        "exports.json": _text(exports()),
    }


def _text(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Write them."""
    for name, data in files().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
