"""Signed notes and checkpoints: what opens, and what each kind of forgery is called."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.record.log.checkpoint import (
    Checkpoint,
    gateway_origin,
    log_origin,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from gateway.record.log.signed_note import NoteError, Signer, VerifierKey, open_note, sign

TEXT = "first line\n\nthird line, è subito sera\n"
OLD = Signer.from_private_bytes("example.com/log", b"\x01" * 32)
NEW = Signer.from_private_bytes("example.com/log", b"\x02" * 32)
OLD_KEY, NEW_KEY = VerifierKey.parse(OLD.verifier_key), VerifierKey.parse(NEW.verifier_key)


def test_a_note_opens_to_its_text() -> None:
    """Empty lines and letters of any script included."""
    assert open_note(sign(TEXT, OLD), [OLD_KEY, NEW_KEY]) == TEXT
    assert open_note(sign(TEXT, OLD, NEW), [NEW_KEY]) == TEXT


def swapped_signature(note: str) -> str:
    """The signature of another text, under the right key."""
    other = sign("another\n", OLD)
    return note.rpartition("\n\n")[0] + "\n\n" + other.rpartition("\n\n")[2]


BAD_NOTES = {
    "another text": (sign(TEXT, OLD).replace("first", "First"), "note.forged"),
    "the signature of another text": (swapped_signature(sign(TEXT, OLD)), "note.forged"),
    "one good and one bad signature of known keys": (
        sign(TEXT, OLD) + sign("another\n", NEW).rpartition("\n\n")[2],
        "note.forged",
    ),
    "no signature of a known key": (
        sign(TEXT, Signer.from_private_bytes("example.com/log", b"\x03" * 32)),
        "note.untrusted",
    ),
    "a known key under another name": (
        sign(TEXT, Signer.from_private_bytes("example.com/other", b"\x01" * 32)),
        "note.untrusted",
    ),
    "no signature": (TEXT + "\n", "note.malformed"),
    "no empty line": (sign("a\n", OLD).replace("\n\n", "\n"), "note.malformed"),
    "no text": ("\n\n" + sign(TEXT, OLD).rpartition("\n\n")[2], "note.malformed"),
    "a hyphen for the dash": (sign(TEXT, OLD).replace("\N{EM DASH}", "-"), "note.malformed"),
    "no newline at its end": (sign(TEXT, OLD)[:-1], "note.malformed"),
    "a line after the signatures": (sign(TEXT, OLD) + "more\n", "note.malformed"),
    "a carriage return": (sign(TEXT, OLD).replace("third", "third\r"), "note.malformed"),
    "half a surrogate pair": ("\ud800" + sign(TEXT, OLD), "note.malformed"),
    "base64 without padding": (sign(TEXT, OLD).replace("=\n", "\n"), "note.malformed"),
    "a signature of a key hash alone": (
        TEXT + "\n\N{EM DASH} example.com/log AAAAAA==\n",
        "note.malformed",
    ),
    "too many signatures": (sign(TEXT, *[OLD] * 101), "note.malformed"),
    "more than a note may be long": ("a" * 300_000 + sign(TEXT, OLD), "note.malformed"),
}


@pytest.mark.parametrize("case", BAD_NOTES)
def test_a_bad_note_is_refused(case: str) -> None:
    """By what is wrong with it."""
    note, code = BAD_NOTES[case]
    with pytest.raises(NoteError) as caught:
        open_note(note, [OLD_KEY, NEW_KEY])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "key",
    [
        "",
        "example.com/log",
        OLD.verifier_key.replace("log+", "lag+"),
        OLD.verifier_key[:-1],
        OLD.verifier_key.upper(),
        OLD.verifier_key + " ",
        OLD.verifier_key.replace("+AY", "+Ao"),
        "a b" + OLD.verifier_key.removeprefix("example.com/log"),
        "+" + OLD.verifier_key.partition("+")[2],
    ],
    ids=lambda key: f"length {len(key)}, {key[:5]}".replace("+", " "),
)
def test_a_bad_key_is_refused(key: str) -> None:
    """Its hash covers its name and its bytes."""
    with pytest.raises(NoteError) as caught:
        VerifierKey.parse(key)
    assert caught.value.code == "note.malformed"


def test_every_spelling_of_a_base64_but_one_is_refused() -> None:
    """Bits that decode to nothing would let a changed note verify."""
    note = sign(TEXT, OLD)
    assert note.endswith("=\n")
    last = note[-3]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for other in letters:
        if other != last:
            with pytest.raises(NoteError):
                open_note(f"{note[:-3]}{other}=\n", [OLD_KEY])


def test_a_text_that_no_note_can_have_is_not_signed() -> None:
    """Neither one without its newline nor one with control characters."""
    for text in ("", "\n", "no newline", "a\tb\n", "\ud800\n"):
        with pytest.raises(NoteError):
            sign(text, OLD)


CHECKPOINT = Checkpoint(log_origin("tnt_1"), 12, bytes(range(32)), ("at 2026-11-21T04:00:00Z",))


def test_a_checkpoint_is_its_lines() -> None:
    """Origin, size, root, extensions; and back."""
    assert CHECKPOINT.text() == (
        "checkrein/log/tnt_1\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "at 2026-11-21T04:00:00Z\n"
    )
    assert parse_checkpoint(CHECKPOINT.text()) == CHECKPOINT
    assert parse_checkpoint("o\n0\n" + "A" * 43 + "=\n") == Checkpoint("o", 0, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n1\nAAAA\n",
        CHECKPOINT.text()[:-1],
        CHECKPOINT.text() + "\n",
        CHECKPOINT.text().replace("12", "012"),
        CHECKPOINT.text().replace("12", "-1"),
        CHECKPOINT.text().replace("12", "1" * 20),
        CHECKPOINT.text().replace("12", "\N{ARABIC-INDIC DIGIT ONE}"),
        CHECKPOINT.text().replace("h8=", "h9="),
        CHECKPOINT.text().replace("checkrein/log/tnt_1", ""),
    ],
    ids=range(11),
)
def test_a_bad_checkpoint_is_refused(text: str) -> None:
    """There is one way to write a checkpoint."""
    with pytest.raises(NoteError):
        parse_checkpoint(text)


def test_a_checkpoint_opens_with_the_key_of_its_own_origin_only() -> None:
    """The same key under another name signs nothing here."""
    log = Signer.from_private_bytes(log_origin("tnt_1"), b"\x01" * 32)
    gateway = Signer.from_private_bytes(gateway_origin("gw_1"), b"\x02" * 32)
    keys = [VerifierKey.parse(each.verifier_key) for each in (log, gateway)]
    assert open_checkpoint(sign_checkpoint(CHECKPOINT, log), keys) == CHECKPOINT
    with pytest.raises(NoteError, match="its own origin"):
        sign_checkpoint(CHECKPOINT, gateway)
    with pytest.raises(NoteError) as caught:
        open_checkpoint(sign(CHECKPOINT.text(), gateway), keys)
    assert caught.value.code == "note.untrusted"


FIELD: Final = 2**255 - 19
IDENTITY: Final = (1).to_bytes(32, "little")
ORDER_EIGHT: Final = bytes.fromhex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
)


def key_text(public: bytes) -> str:
    """A verifier key of any 32 bytes, as who offers a bad one writes it."""
    digest = sha256(b"example.com/log\n\x01" + public).hexdigest()[:8]
    return f"example.com/log+{digest}+{base64.b64encode(bytes([1]) + public).decode()}"


def doubled(y: int) -> int:
    """The y of twice a point of the curve -x^2 + y^2 = 1 + d x^2 y^2, which needs no x."""
    d = -121665 * pow(121666, -1, FIELD) % FIELD
    x2 = (y * y - 1) * pow(d * y * y + 1, -1, FIELD) % FIELD
    return (y * y + x2) * pow(2 + x2 - y * y, -1, FIELD) % FIELD


def small_order() -> list[int]:
    """The y of every point that is nothing after at most three doublings."""
    eighth = int.from_bytes(ORDER_EIGHT, "little")
    return [1, FIELD - 1, 0, eighth, FIELD - eighth]


def test_the_points_that_are_refused_are_of_small_order() -> None:
    """By the curve's own law: eight times each is the identity."""
    for y in small_order():
        assert doubled(doubled(doubled(y))) == 1
    assert doubled(doubled(int.from_bytes(ORDER_EIGHT, "little"))) == FIELD - 1


@pytest.mark.parametrize("sign_bit", [0, 1 << 255])
@pytest.mark.parametrize("y", [*small_order(), *(FIELD + extra for extra in range(19))])
def test_a_key_that_proves_nothing_is_no_key(y: int, sign_bit: int) -> None:
    """Small order, or written in another form than the one of RFC 8032."""
    with pytest.raises(NoteError, match="proves nothing") as caught:
        VerifierKey.parse(key_text((y | sign_bit).to_bytes(32, "little")))
    assert caught.value.code == "note.malformed"


def test_under_the_identity_anybody_signs_anything() -> None:
    """Why: the library itself takes one signature, made without any key, for two texts."""
    key, forged = Ed25519PublicKey.from_public_bytes(IDENTITY), IDENTITY + bytes(32)
    key.verify(forged, b"approved")
    key.verify(forged, b"denied")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(OLD_KEY.public).verify(forged, b"approved")
