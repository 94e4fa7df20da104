"""What the parts of a governed mutation cost, each alone in a loop, with the product's own code.

Explains the whole that `python -m tests.benchmarks` measures from outside: what is not here is the
kernel, TLS, the event loop and the glue between the parts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Final

from gateway.intercept.http1 import Limits, RequestReader
from gateway.intercept.request import make_request, tunnelled_target
from gateway.model.authority import parse_authority
from gateway.model.decision import Context
from gateway.model.effect import Effect, Mode
from gateway.model.exchange import Exchange, HttpRequest, Principal
from gateway.model.record import DecisionEntry, Outcome, OutcomeEntry
from gateway.record import marks
from gateway.record.chain import ZERO_HASH, seal
from gateway.record.line import fields_of
from gateway.rulesets.files import RulesetFiles
from tests.benchmarks.candidates import ANSWER_BYTES, HOST
from tests.benchmarks.load import Load, request_bytes
from tests.benchmarks.rows import MUTATION
from tests.support.stack import MAPPERS, POLICIES

ROUNDS: Final = 15
CALLS: Final = 2_000
NOW: Final = 1_800_000_000_000_000

_METHOD, _PATH = MUTATION
_AUTHORITY: Final = parse_authority(HOST.encode(), 443)


def measure() -> Mapping[str, float]:
    """Microseconds of one call, medians over rounds, in the order of a request's road."""
    text = request_bytes(
        Load(0, "", HOST, "", HOST, _METHOD, _PATH, ANSWER_BYTES, 1, 1.0, None, None)
    )
    ruleset = RulesetFiles(lambda: (POLICIES,), lambda: MAPPERS, 1.0).load()
    exchange = Exchange("req_1", Principal("agent"), _parse(text), NOW)
    canonical = ruleset.canonicalizer.canonicalize(exchange.request)
    context = Context("agent", None, NOW)
    decision = ruleset.bundle.decide(canonical.actions, context, Mode.ENFORCE)
    intent = DecisionEntry(NOW, "dec_1", exchange, canonical, context, decision, True)
    outcome = OutcomeEntry(NOW, "dec_1", "req_1", Outcome.EXECUTED, 200, None, 900, ANSWER_BYTES)
    assert decision.effect is Effect.ALLOW, "what is measured is what is sent"
    marks.use_key(b"k" * 32)  # as in a gateway: bodies and queries are digested under it
    parts: dict[str, Callable[[], object]] = {
        "parsing": lambda: _parse(text),
        "canonicalization": lambda: ruleset.canonicalizer.canonicalize(exchange.request),
        "decision": lambda: ruleset.bundle.decide(canonical.actions, context, Mode.ENFORCE),
        "intent, sealed": lambda: seal(fields_of(intent), "gw", 2, ZERO_HASH),
        "outcome, sealed": lambda: seal(fields_of(outcome), "gw", 3, ZERO_HASH),
    }
    return {name: _time(part) for name, part in parts.items()}


def _parse(text: bytes) -> HttpRequest:
    reader = RequestReader(Limits())
    reader.feed(text)
    head = reader.read_head()
    assert head is not None
    body = reader.read_body()
    return make_request(head, "https", _AUTHORITY, tunnelled_target(head, _AUTHORITY), body)


def _time(part: Callable[[], object]) -> float:
    costs = []
    for _ in range(ROUNDS):
        begun = time.process_time_ns()
        for _ in range(CALLS):
            part()
        costs.append((time.process_time_ns() - begun) / CALLS / 1e3)
    return round(statistics.median(costs), 1)
