"""The Twilio SDK, driven without a network, against the shipped mapper."""

from __future__ import annotations

from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.drive_twilio import every_call
from tests.contract.mappers_real_sdks.sdk import canonicalizer


def test_every_method_is_told_by_verb_and_resource() -> None:
    """The operation of every list and context has the verb of the method and the noun of the class,
    and only fetches and lists are reads."""
    sent = list(every_call())
    wrong, mild = [], []
    for one in sent:
        verb, _, stem = one.operation.partition(" ")
        canonical = canonicalizer().canonicalize(one.request)
        name = canonical.actions[0].operation if canonical.actions else str(canonical.refused)
        own = name.rpartition(".")[2]
        nouns = {singular(word) for word in words_of(own)}
        if not own.startswith(verb) or singular(words_of(stem)[-1]) not in nouns:
            wrong.append((one.operation, one.request.target, name))
        elif (canonical.actions[0].kind is Kind.READ) != (verb in ("Fetch", "List")):
            mild.append((one.operation, name))

    assert len(sent) > 1_000
    assert mild == []
    assert len(wrong) <= len(sent) * 0.005, wrong
