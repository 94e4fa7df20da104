"""Inline tests, and the JSON lines filter."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.authoring.mappers import map_line, run_tests
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.cli.mappers.group import mappers
from gateway.content import mappers_dir

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def test_a_wrong_expectation_is_told(tmp_path: Path) -> None:
    """A test that expects too much fails, and so does one that is refused."""
    path = tmp_path / "m.yaml"
    path.write_text(
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: m}\nspec:\n  provider: m\n"
        "  hosts: [m.test]\n  operations: {GET /a: list_a}\n  tests:\n"
        "    - {request: GET /a, expect: {kind: delete}}\n"
        "    - {request: GET //a, expect: {count: 0}}\n"
    )

    results = run_tests(Canonicalizer.load([path]))

    assert [len(result.differences) for result in results] == [1, 1]


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode()


BODY = base64.b64encode(b"charge=ch_1&amount=5").decode()
URL = "https://api.stripe.com/v1/refunds"
LINES: dict[str, tuple[bytes, str | None, str | None]] = {
    "headers as an object": (
        line(method="POST", url=URL, headers={"Content-Type": FORM}, body_b64=BODY),
        None, "create_refund",
    ),
    "headers as pairs": (
        line(method="POST", url=URL, headers=[["Content-Type", FORM]], body_b64=BODY),
        None, "create_refund",
    ),
    "a header with two values": (
        line(method="POST", url=URL, headers={"Content-Type": [FORM, FORM]}, body_b64=BODY),
        "ambiguous_content_type", None,
    ),
    "no headers and no body": (line(method="GET", url=URL), None, "list_refund"),
    "an upper-case host with port and dot": (
        line(method="GET", url="https://API.Stripe.com.:443/v1/refunds"), None, "list_refund",
    ),
    "an ambiguous path": (line(method="GET", url=URL + "/%2e%2e"), "ambiguous_path", None),
    "no JSON": (b"nonsense\n", "malformed_input", None),
    "an empty line": (b"\n", "malformed_input", None),
    "no object": (b"[1]", "malformed_input", None),
    "no URL": (line(method="GET"), "malformed_input", None),
    "no absolute URL": (line(method="GET", url="/v1/refunds"), "malformed_input", None),
    "no base64": (line(method="POST", url=URL, body_b64="%"), "malformed_input", None),
    "headers that can't be sent": (
        line(method="GET", url=URL, headers={"a": "b\r\nc"}), "malformed_input", None,
    ),
    "headers that are a number": (line(method="GET", url=URL, headers=5), "malformed_input", None),
    "deep nonsense": (b"[" * 100_000, "malformed_input", None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "refused", "action"), LINES.values(), ids=LINES)
def test_map(
    canonicalizer: Canonicalizer, text: bytes, refused: str | None, action: str | None
) -> None:
    """Each line gives its action, or an empty list and a code; never an exception."""
    result = map_line(canonicalizer, text)

    assert result["refused"] == refused
    actions = result["actions"]
    assert isinstance(actions, list)
    assert [found["action"] for found in actions] == ([] if action is None else [action])


def test_the_filter_keeps_the_order() -> None:
    """One line out for each line in, in order, also for malformed ones."""
    lines = [text.strip() for text, _, _ in LINES.values()]
    result = CliRunner().invoke(mappers, ["map"], input=b"\n".join(lines) + b"\n")

    refusals = [json.loads(text)["refused"] for text in result.stdout.splitlines()]
    assert refusals == [refused for _, refused, _ in LINES.values()]


def test_an_action_is_written_as_the_design_says(canonicalizer: Canonicalizer) -> None:
    """The keys of one action."""
    result = map_line(canonicalizer, LINES["headers as an object"][0])

    actions = result["actions"]
    assert isinstance(actions, list)
    assert {key: actions[0][key] for key in ("provider", "operation", "kind", "target")} == {
        "provider": "stripe",
        "operation": "stripe.refunds.create",
        "kind": "create",
        "target": {"type": "charge", "id": "ch_1"},
    }
    assert actions[0]["params"] == {"amount": 5}
