"""Says step by step how one request is read: the candidates, why one won, each value's origin.

Shows names and places. A value that looks like a secret is masked, as in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.authoring.mappers import canonical_as_json
from gateway.canonicalize.authored.operation import Condition, Operation, ParamType, Presence
from gateway.canonicalize.authored.template import Form, form_of
from gateway.canonicalize.canonicalizer import Canonicalizer, Finding
from gateway.canonicalize.matcher import Candidate
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.model.action import Action, Canonical
from gateway.model.exchange import HttpRequest
from gateway.record.redact import redact_params, redact_text

CANDIDATES_MAX = 50
"""Only selectors find more for one request, and nobody reads them."""


def explain(canonicalizer: Canonicalizer, request: HttpRequest) -> dict[str, object]:
    """The whole explanation as plain data."""
    canonical = canonicalizer.canonicalize(request)
    shown = canonical_as_json(canonical)
    result: dict[str, object] = {
        "method": request.method,
        "host": request.authority.host,
        "provider": canonical.provider,
        "candidates": [],
        "won": None,
        "why": "",
        "actions": [_masked(action) for action in canonical.actions],
        "refused": shown["refused"],
        "detail": redact_text(canonical.detail),
        "errors": shown["errors"],
        "expand": "",
        "values": [],
    }
    try:
        finding = canonicalizer.examine(request)
    except AmbiguityError as error:
        result["why"] = "it could be read differently elsewhere, so it is refused"
        result["refused"] = result["refused"] or error.code
        return result
    result["segments"] = [redact_text(segment) for segment in finding.segments]
    if finding.site is None:
        result["why"] = "no mapper has this host"
        return result
    if finding.call is not None:
        result["selected"] = finding.call.name
    result["candidates"] = [
        _candidate(found, finding.winner) for found in finding.candidates[:CANDIDATES_MAX]
    ]
    if finding.winner is None:
        result["why"] = _why_nothing(finding)
        return result
    operation = finding.winner.operation
    result["won"] = {"entry": operation.template, "origin": operation.origin}
    result["why"] = _why(finding.winner, finding.candidates)
    result["expand"] = operation.expand
    result["values"] = _origins(operation, canonical)
    return result


def _masked(action: Action) -> dict[str, object]:
    return {
        "provider": action.provider,
        "operation": action.operation,
        "action": action.action,
        "kind": action.kind.value,
        "target": {"type": action.target.type, "id": redact_text(action.target.id)},
        "params": redact_params(action.params),
        "reversible": action.reversible,
        "sensitive": action.sensitive,
        "missing": sorted(action.missing),
        "unreadable": sorted(action.unreadable),
    }


def _why_nothing(finding: Finding) -> str:
    if finding.candidates:
        return "the path fits, but no entry's conditions hold, so this is unknown"
    return "no entry has this method and path, so this is unknown"


def _why(winner: Candidate, candidates: Sequence[Candidate]) -> str:
    if len(candidates) == 1:
        return "the only entry that fits"
    if winner.operation.when:
        return "all of its conditions hold, and no entry with more does"
    others = [found for found in candidates if found.entry is not winner.entry]
    if all(found.operation.when for found in others):
        return "no entry's conditions hold, and this one has none"
    return "the most specific path; literals go before variables"


def _candidate(candidate: Candidate, winner: Candidate | None) -> dict[str, object]:
    operation = candidate.operation
    is_winner = winner is not None and candidate.entry is winner.entry
    return {
        "entry": operation.template,
        "operation": operation.operation,
        "kind": operation.kind.value,
        "when": [_condition(condition) for condition in operation.when],
        "captured": [redact_text(text) for text in candidate.captured],
        "origin": operation.origin,
        "won": is_winner,
        "lost": "" if is_winner else _why_lost(candidate, winner),
    }


def _condition(condition: Condition) -> str:
    if condition.expected is Presence.PRESENT:
        return f"{condition.address} is there"
    if condition.expected is Presence.ABSENT:
        return f"{condition.address} is absent"
    return f"{condition.address} = {condition.expected}"


def _why_lost(candidate: Candidate, winner: Candidate | None) -> str:
    """Candidates come the most specific first, so what stands before the winner did not hold."""
    if winner is None:
        return "its conditions don't hold"
    mine, theirs = candidate.operation, winner.operation
    if _specificity(mine) == _specificity(theirs) or not theirs.segments:
        if len(mine.when) >= len(theirs.when):
            return "its conditions don't hold"
        return "it has fewer conditions"
    if _specificity(mine) < _specificity(theirs):
        return "its conditions don't hold"
    return "its path is less specific"


def _specificity(operation: Operation) -> tuple[int, ...]:
    return tuple(_RANKS[form_of(segment)] for segment in operation.segments)


_RANKS = {Form.LITERAL: 0, Form.PATTERN: 1, Form.VARIABLE: 2, Form.GREEDY: 3}


def target_source(operation: Operation) -> str:
    """The address or template of an operation's target id, as a mapper writes it."""
    spec = operation.target
    if spec.each is not None:
        return str(spec.each)
    if spec.id is None:
        return ""
    parts = spec.id.parts
    if len(parts) == 1:
        return str(parts[0])
    return "".join(part if isinstance(part, str) else f"{{{part}}}" for part in parts)


def _origins(operation: Operation, canonical: Canonical) -> list[Mapping[str, object]]:
    """Each declared value, where it is read, and what was found there."""
    action = canonical.actions[0] if canonical.actions else None
    values: list[Mapping[str, object]] = []
    if source := target_source(operation):
        found = redact_text(action.target.id) if action else None
        values.append({"name": "target.id", "from": source, "type": "text", "value": found})
    params = redact_params(action.params) if action else {}
    for param in operation.params:
        type_name = param.type.value
        if param.type is ParamType.MONEY_DECIMAL:
            type_name += f" in {param.currency}"
        values.append(
            {
                "name": f"params.{param.name}",
                "from": ", ".join(map(str, (param.address, *param.more))),
                "type": type_name,
                "value": params.get(param.name),
            }
        )
    return values
