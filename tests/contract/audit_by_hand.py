"""`python tests/contract/audit_by_hand.py EXPORT KEY_FILE`: checks an export, written from the page
`gateway/record/README.md` alone. It imports nothing of ours: Python's standard library, and
`openssl` for the signatures. Slow and plain; exit status 0 when all is well, else 1 and why.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

DER_ED25519 = bytes.fromhex("302a300506032b6570032100")


def sha(data):
    return hashlib.sha256(data).digest()


def demand(is_so, what):
    if not is_so:
        raise SystemExit(f"NOT AS SIGNED: {what}")


def decode(text):
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "base64 with a second spelling")
    return data


def parse_key(text):
    name, key_hash, encoded = text.split("+", 2)
    key = decode(encoded)
    expected = sha(name.encode() + b"\n" + key)[:4]
    demand(key[:1] == b"\1" and len(key) == 33, "a key is not Ed25519")
    demand(key_hash == expected.hex(), "a key's hash is not that of the key")
    return (name, expected), key[1:]


def has_signed(key, text, signature):
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("key", "text", "signature")]
        for place, data in zip(places, (DER_ED25519 + key, text.encode(), signature), strict=True):
            place.write_bytes(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
        command += ["-inkey", places[0], "-in", places[1], "-sigfile", places[2]]
        return subprocess.run(command, capture_output=True).returncode == 0


def open_note(note, keys):
    """The text of a note that a known key signed."""
    text, gap, signatures = note.rpartition("\n\n")
    demand(gap and signatures.endswith("\n"), "a note without signatures")
    found = False
    for line in signatures[:-1].split("\n"):
        demand(line.startswith("\u2014 "), "a signature line without its dash")
        name, encoded = line[2:].split(" ")
        signature = decode(encoded)
        key = keys.get((name, signature[:4]))
        if key is not None:
            demand(has_signed(key, text + "\n", signature[4:]), "a signature does not fit")
            found = True
    demand(found, "a note that no known key signed")
    return text + "\n"


def read_checkpoint(note, keys):
    origin, size, root = open_note(
        note, {k: v for k, v in keys.items() if note.startswith(k[0] + "\n")}
    ).split("\n")[:3]
    demand(str(int(size)) == size, "a size with a second spelling")
    return origin, int(size), decode(root)


def perfect(begin, end):
    """The largest perfect subtrees of the leaves [begin, end)."""
    while begin < end:
        width = 1
        while begin % (width * 2) == 0 and begin + width * 2 <= end:
            width *= 2
        yield begin, begin + width
        begin += width


def fold(subtrees):
    """The root over neighbouring perfect subtrees: (hash, number of leaves), from left to right."""
    stack = []
    for node, width in subtrees:
        while stack and stack[-1][1] == width:
            node, width = sha(b"\1" + stack.pop()[0] + node), width * 2
        stack.append((node, width))
    while len(stack) > 1:
        right = stack.pop()
        left = stack.pop()
        stack.append((sha(b"\1" + left[0] + right[0]), left[1] + right[1]))
    return stack[0][0] if stack else sha(b"")


def main(export_file, key_file):
    data = Path(export_file).read_bytes()
    demand(data.endswith(b"\n"), "the file is cut off")
    first_line, *lines = data[:-1].split(b"\n")
    header = json.loads(first_line)
    spelt = [
        json.dumps(header, separators=(",", ":"), ensure_ascii=a).encode() for a in (True, False)
    ]
    demand(first_line in spelt and header["export"] == "checkrein/1", "the first line")
    log_key = Path(key_file).read_text().strip()
    demand(header["log_key"] == log_key, "the file names another key")
    origin, size, signed_root = read_checkpoint(header["checkpoint"], dict([parse_key(log_key)]))
    demand(origin == header["origin"] == "checkrein/log/" + header["tenant"], "another log")
    first, count = header["first"], header["count"]
    demand(size == header["size"] and len(lines) == count and first >= 0, "the number of records")
    left, right = list(perfect(0, first)), list(perfect(first + count, size))
    demand([len(header["left"]), len(header["right"])] == [len(left), len(right)], "the range")

    chains, leaves, announced = {}, [], defaultdict(list)
    for line in lines:
        place, line_hash = json.loads(line), sha(line).hex()
        is_erased = "erased" in place
        if is_erased:
            place = place["erased"]
            line_hash = place["hash"]
        gateway, seq, prev = place["gateway"], place["seq"], place["prev"]
        chain = chains.setdefault(gateway, {} if first else {0: "0" * 64})
        demand(seq - 1 in chain or not chain, f"record {seq} of {gateway} does not follow")
        demand(chain.get(seq - 1, prev) == prev and seq not in chain, f"before {seq} of {gateway}")
        chain[seq] = line_hash
        leaves.append(sha(f"\0checkrein/record\n{gateway}\n{seq}\n{line_hash}\n".encode()))
        if not is_erased and place.get("event") == "signing_key":
            announced[gateway].append((place["detail"], place["key_proof"]))

    sides = [[decode(each) for each in header[side]] for side in ("left", "right")]
    parts = [(node, end - begin) for node, (begin, end) in zip(sides[0], left, strict=True)]
    parts += [(leaf, 1) for leaf in leaves]
    parts += [(node, end - begin) for node, (begin, end) in zip(sides[1], right, strict=True)]
    demand(fold(parts) == signed_root, "the tree")

    seen = {gateway["id"] for gateway in header["gateways"]}
    demand(len(seen) == len(header["gateways"]) and (first or seen == set(chains)), "gateways")
    for gateway in header["gateways"]:
        check_gateway(gateway, chains.get(gateway["id"], {}), announced[gateway["id"]])
    print(f"{count} records of {size}, as they were signed")


def check_gateway(gateway, chain, announced):
    """Each key is vouched for by the one before it, each head is signed and fits its line."""
    keys, before = dict(parse_key(each) for each in gateway["keys"]), None
    for text, proof in announced:
        own = dict([parse_key(text)])
        demand(open_note(proof, own) == text + "\n", "a key that does not vouch for itself")
        demand(before is None or open_note(proof, before) == text + "\n", "a key out of nowhere")
        keys, before = {**keys, **own}, own
    demand(all(name == "checkrein/gateway/" + gateway["id"] for name, _ in keys), "a key's name")
    for note in gateway["heads"]:
        origin, seq, line_hash = read_checkpoint(note, keys)
        demand(origin == "checkrein/gateway/" + gateway["id"], "a head of somebody else")
        demand(seq not in chain or chain[seq] == line_hash.hex(), f"record {seq} of {origin}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    try:
        main(*sys.argv[1:])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SystemExit(f"NOT AS SIGNED: {error!r}") from None
