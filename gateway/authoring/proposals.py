"""Turns operations, recorded or described, into the text of a mapper that a person finishes.

What can't be known is `kind: unknown` with a comment that says what to decide. Every operation
gets a test with made-up values; the text is loaded and its tests are run before it is given out.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.authoring import yaml_text as y
from gateway.authoring.mappers import observed, request_of_test
from gateway.authoring.samples import Sample, sample_of
from gateway.canonicalize.authored.mapper import MapperTest
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError, ConfigurationError

LINE_CHARS_MAX: Final = 100
NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")

_SHOWN = ("operation", "action", "kind", "target.type", "target.id")
_NOT_NAMES: Final = frozenset(
    {"api", "apis", "www", "app", "gateway", "rest", "graphql", "com", "net", "org", "io", "dev",
     "co", "ai", "cloud", "local", "internal", "test", "localhost"}
)  # fmt: skip


class ProposalError(CheckreinError):
    """No mapper can be made of what was found."""

    def __init__(self, message: str) -> None:
        super().__init__("proposal.impossible", message)


@dataclass(frozen=True, slots=True)
class Proposed:
    """One entry. `kind_remark` and `param_remarks` (by name) say what a person has to decide."""

    row: Row
    kind_remark: str = ""
    param_remarks: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapper to be. `notes` stand at its top; `settings` are further keys of its spec."""

    provider: str
    hosts: Sequence[str]
    entries: Sequence[Proposed]
    notes: Sequence[str] = ()
    settings: Mapping[str, object] | None = None

    @property
    def undecided(self) -> int:
        """Lines that a person has to look at."""
        return sum(
            bool(entry.kind_remark) + len(entry.param_remarks or {}) for entry in self.entries
        )


def provider_of(host: str) -> str:
    """A provider's name for a host: `api.shop.example.com` -> `example`."""
    labels = [label for label in host.lower().lstrip("*.-").split(".") if label]
    if labels and not labels[-1].isdigit():
        named = [label for label in labels[:-1] if label not in _NOT_NAMES] or labels[:1]
        text = re.sub(r"[^a-z0-9-]+", "-", named[-1]).strip("-")
        if NAME.fullmatch(text):
            return text
    return "my-api"


def text_of(proposal: Proposal) -> str:
    """The text of the mapper, with a test for every operation that its own entry is found for.

    Raises:
        ProposalError: it would not load.
    """
    if not proposal.entries:
        raise ProposalError("there is no operation to propose")
    if not proposal.hosts:
        raise ProposalError("it is not known at which host the API is")
    head = "\n".join(_head(proposal)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{proposal.provider}.yaml"
        path.write_text(head, encoding="utf-8")
        try:
            canonicalizer = Canonicalizer.load([path])
        except ConfigurationError as error:
            shown = "; ".join(problem.message for problem in error.problems[:3])
            raise ProposalError(f"the proposal would not load: {shown}") from error
        tests = list(_tests(proposal, canonicalizer))
    return head + ("  tests:\n" + "".join(f"    {line}\n" for line in tests) if tests else "")


# --- the entries ----------------------------------------------------------------------------------


def _head(proposal: Proposal) -> Iterator[str]:
    for note in proposal.notes:
        yield y.comment(note)
    yield "apiVersion: checkrein/v1"
    yield "kind: Mapper"
    yield f"metadata: {{name: {y.scalar(proposal.provider)}}}"
    yield "spec:"
    yield f"  provider: {y.scalar(proposal.provider)}"
    yield f"  hosts: {y.flow(list(proposal.hosts))}"
    for name, value in (proposal.settings or {}).items():
        yield f"  {name}: {y.flow(value)}"
    yield "  operations:"
    grouped: dict[str, list[Proposed]] = {}
    for entry in proposal.entries:
        grouped.setdefault(entry.row.wire, []).append(entry)
    for wire, entries in grouped.items():
        if len(entries) == 1:
            yield from _entry(f"    {y.key(wire)}:", entries[0], "      ")
            continue
        yield f"    {y.key(wire)}:"
        for entry in entries:
            yield from _entry("      -", entry, "        ")


def _entry(begin: str, entry: Proposed, indent: str) -> Iterator[str]:
    """On one line where it fits and nothing is to be decided."""
    fields = dict(_fields(entry.row))
    line = f"{begin} {y.flow(fields)}"
    if len(line) <= LINE_CHARS_MAX and not entry.kind_remark and not entry.param_remarks:
        yield line
        return
    remarks = {"kind": entry.kind_remark}
    lines = []
    for name, value in fields.items():
        if name == "params":
            lines.append("params:")
            for param, source in _params(entry.row).items():
                remark = (entry.param_remarks or {}).get(param, "")
                lines.append(f"  {y.scalar(param)}: {y.flow(source)}{_remark(remark)}")
        else:
            lines.append(f"{name}: {y.flow(value)}{_remark(remarks.get(name, ''))}")
    if begin.endswith("-"):
        yield f"{begin} {lines.pop(0)}"
    else:
        yield begin
    for line in lines:
        yield indent + line


def _remark(text: str) -> str:
    return f"  {y.comment(text)}" if text else ""


def _fields(row: Row) -> Iterator[tuple[str, object]]:
    yield "operation", row.operation
    yield "action", row.action
    yield "kind", row.kind.value
    if row.target_type:
        key = "each" if row.each else "id"
        yield "target", {"type": row.target_type, **({key: row.target_id} if row.target_id else {})}
    if row.params:
        yield "params", _params(row)
    if row.when:
        yield "when", dict(row.when)
    if not row.reversible:
        yield "reversible", False
    if row.sensitive:
        yield "sensitive", row.sensitive
    if row.expand:
        yield "expand", row.expand


def _params(row: Row) -> dict[str, object]:
    return {name: _param(param) for name, param in row.params.items()}


def _param(param: RowParam) -> object:
    if param.type == "text":
        return param.source
    detail = {"money_decimal": "currency", "list": "separator"}.get(param.type, "")
    return {
        "from": param.source,
        "type": param.type,
        **({detail: param.detail} if detail and param.detail else {}),
    }


# --- the tests ------------------------------------------------------------------------------------


def _tests(proposal: Proposal, canonicalizer: Canonicalizer) -> Iterator[str]:
    """A line for each entry whose sample is read as this entry."""
    host = next((host for host in proposal.hosts if not host.startswith("*")), "")
    base = "" if host else f"https://x{proposal.hosts[0].removeprefix('*')}"
    for entry in proposal.entries:
        sample = sample_of(entry.row)
        if sample is None:
            continue
        sample = replace(sample, request=sample.request.replace(" /", f" {base}/", 1))
        line = _test(entry.row, sample, canonicalizer)
        if line:
            yield line


def _test(row: Row, sample: Sample, canonicalizer: Canonicalizer) -> str:
    (mapper,) = canonicalizer.mappers
    test = MapperTest("", 0, sample.request, tuple(sample.headers.items()), ())
    canonical = canonicalizer.canonicalize(request_of_test(mapper, test))
    found = observed(canonical, "operation")
    if canonical.refused is not None or (found != row.operation and not row.expand):
        return ""
    expect = {key: observed(canonical, key) for key in _SHOWN}
    expect |= {f"params.{name}": observed(canonical, f"params.{name}") for name in row.params}
    shown = {key: value for key, value in expect.items() if value not in (None, "")}
    headers = {"headers": dict(sample.headers)} if sample.headers else {}
    return f"- {y.flow({'request': sample.request, **headers, 'expect': shown})}"
