"""Compares what an SDK's methods send with what the shipped mappers say that they mean.

A driver calls every method of an SDK and gives the requests; the expected operation of each is the
method's own name. Two methods can send the same bytes: then the name of either is right, and that
is told apart from an exact hit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import canonicalizer


@dataclass(frozen=True, slots=True)
class Sent:
    """What one method sent. `wire` is what has to be equal where two methods send the same."""

    operation: str
    request: HttpRequest

    @property
    def wire(self) -> tuple[str, str, bytes, bool]:
        path, _, query = self.request.target.partition(b"?")
        is_beta = b"beta=true" in query
        return self.request.method, self.request.authority.host, path.rstrip(b"/"), is_beta


@dataclass(slots=True)
class Figures:
    """The result. `same` are methods whose bytes another method sends as well, `wrong` what was
    called by another name or refused, `mild` what was called a read without a reason."""

    requests: int = 0
    methods: set[str] = field(default_factory=set)
    exact: int = 0
    same: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    mild: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of requests that are named rightly."""
        return (self.requests - len(self.wrong)) / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return (
            f"{len(self.methods)} methods, {self.requests} requests: {self.exact} exact,"
            f" {len(self.same)} the same bytes as another method's, {len(self.wrong)} wrong"
            f" ({self.share:.2%}); {len(self.mild)} writes called reads; {dict(self.kinds)}"
        )


def judge(sent: Iterable[Sent], reads: Container[str]) -> Figures:
    """Canonicalize everything that was sent. `reads` are the operations that read by another
    method than GET, each with its reason where they come from."""
    figures = Figures()
    everything = list(sent)
    wires: dict[str, set[object]] = defaultdict(set)
    for one in everything:
        wires[one.operation].add(one.wire)
    for one in everything:
        figures.requests += 1
        figures.methods.add(one.operation)
        canonical = canonicalizer().canonicalize(one.request)
        if canonical.refused is not None:
            figures.wrong.append((one.operation, canonical.refused))
            continue
        (name,) = {action.operation for action in canonical.actions}
        kind = canonical.actions[0].kind
        figures.kinds[kind.value] += 1
        if name == one.operation:
            figures.exact += 1
        elif one.wire in wires[name]:
            figures.same.append((one.operation, name))
        else:
            figures.wrong.append((one.operation, name))
        if kind is Kind.READ and one.request.method not in ("GET", "HEAD") and name not in reads:
            figures.mild.append(one.operation)
    return figures
