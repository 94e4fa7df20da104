"""Properties of recorded lines: canonical bytes, planted secrets, tampering anywhere."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model.codec import INTEGER_MAX, JsonValue, canonical_json
from gateway.model.errors import ChainError
from gateway.record import redact
from gateway.record.chain import ZERO_HASH, line_hash, parse_line, seal, verify_chain
from gateway.record.line import fields_of
from tests.support.entries import an_action, an_exchange, an_intent
from tests.unit.record.test_redact import SECRETS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXT
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
ANYTHING = st.recursive(
    LEAVES | st.integers() | st.floats() | st.text() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, VALUES, max_size=6), st.integers(1, INTEGER_MAX))
@settings(max_examples=150, deadline=None)
def test_a_sealed_line_is_the_canonical_form(fields: dict[str, JsonValue], seq: int) -> None:
    """The quick encoder gives byte for byte what `model.codec` defines."""
    sealed = seal(fields, "gw_a", seq, "f" * 64)
    chain: dict[str, JsonValue] = {"v": 1, "gateway": "gw_a", "seq": seq, "prev": "f" * 64}
    assert sealed.line == canonical_json({**fields, **chain})
    assert parse_line(sealed.line, seq) == {**fields, **chain}


@given(st.integers(INTEGER_MAX + 1, 2**64), st.booleans())
@settings(max_examples=30, deadline=None)
def test_what_has_no_canonical_form_is_not_sealed(number: int, is_negative: bool) -> None:
    """An integer that a reader might round raises in both encoders."""
    value = -number if is_negative else number
    with pytest.raises(ValueError, match="2\\^53"):
        canonical_json({"n": value})
    with pytest.raises(TypeError):
        seal({"n": value}, "gw_a", 1, ZERO_HASH)


@given(st.dictionaries(st.text(), ANYTHING, max_size=6))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_redacted_params_always_have_a_canonical_form(params: dict[str, object]) -> None:
    """Whatever a mapper reads from whatever an agent sends."""
    shown = redact.redact_params(params)  # type: ignore[arg-type]
    assert seal(shown, "gw_a", 1, ZERO_HASH).line == canonical_json(
        {**shown, "v": 1, "gateway": "gw_a", "seq": 1, "prev": ZERO_HASH}
    )


FILLER = st.text(
    string.ascii_letters + string.digits + " \n\t.,;()[]{}<>äß漢\x1b\x7f", max_size=700
)


@given(st.sampled_from(sorted(SECRETS)), FILLER, FILLER, st.integers(0, 8))
@settings(max_examples=250, deadline=None)
def test_a_planted_secret_never_reaches_the_line(
    what: str, before: str, after: str, place: int
) -> None:
    """In any place that an agent can write to, within any text."""
    secret = SECRETS[what]
    text = f"{before} {secret} {after}"
    in_url = secret.replace(" ", "%20").replace("\n", "%0A")
    params: dict[str, object] = {"amount": 1}
    target_id, target, agent = "ch_1", b"/v1/refunds", "agent"
    match place:
        case 0:
            params["description"] = text
        case 1:
            params["items"] = [{"deep": [text]}]
        case 2:
            params[text] = "value"
        case 3:
            params["metadata"] = {text: text}
        case 4:
            params["password"] = text
        case 5:
            target_id = text
        case 6:
            target = b"/v1/" + in_url.encode() + b"/x"
        case 7:
            target = b"/v1/x?a=1&b=" + in_url.encode()
        case _:
            agent = text
    entry = an_intent(
        action=an_action(params, target_id),  # type: ignore[arg-type]
        exchange=an_exchange(target, agent=agent),
    )
    line = json.dumps(fields_of(entry), ensure_ascii=False)
    core = secret.replace("-----BEGIN PRIVATE KEY-----\n", "").replace(" ", "")[4:20]
    assert core not in line
    if core.isdigit():
        assert core not in line.replace(" ", "").replace("-", "")


@given(st.from_regex(redact._SHAPES), FILLER)
@settings(max_examples=250, deadline=None)
def test_the_quick_look_suspects_what_the_long_look_finds(secret: str, before: str) -> None:
    """INVARIANT(suspicion): nothing passes the quick look that the long one would redact."""
    text = f"{before} {secret}"
    if redact._SHAPES.search(text):
        assert redact._is_suspect(text)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_anywhere_is_found(data: st.DataObject) -> None:
    """In any line but the newest, whose successor would vouch for it; never a wrong seq."""
    lines, prev = [], ZERO_HASH
    for seq in range(1, 5):
        sealed = seal(fields_of(an_intent(f"dec_{seq}")), "gw_a", seq, prev)
        lines.append(sealed.line)
        prev = sealed.hash
    seq = data.draw(st.integers(1, 3))
    place = data.draw(st.integers(0, len(lines[seq - 1]) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = bytearray(lines[seq - 1])
    flipped[place] ^= 1 << bit
    lines[seq - 1] = bytes(flipped)
    with pytest.raises(ChainError) as caught:
        verify_chain(lines, gateway="gw_a", first_seq=1, prev=ZERO_HASH)
    assert caught.value.seq == seq
    assert line_hash(lines[3]) == prev
