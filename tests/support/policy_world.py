"""Builds what policy tests need from few words: an action, a context, a bundle from YAML text."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent

from gateway.decide.assessment import Assessment
from gateway.decide.bundle import Bundle
from gateway.decide.loader import parse_sources
from gateway.decide.rules.policy import Policy
from gateway.model.action import Action, Kind, ParamValue, Target
from gateway.model.decision import Context, Risk
from gateway.model.errors import Problem
from gateway.model.vocabulary import Vocabulary


def act(
    action: str = "create_charge",
    kind: str = "create",
    params: Mapping[str, ParamValue] | None = None,
    *,
    provider: str = "stripe",
    operation: str | None = None,
    target: tuple[str, str] = ("charge", "ch_1"),
    missing: tuple[str, ...] = (),
    unreadable: tuple[str, ...] | None = None,
    reversible: bool = True,
    sensitive: str | None = None,
) -> Action:
    return Action(
        provider,
        operation or f"{provider}.{action}",
        action,
        Kind(kind),
        Target(*target),
        params or {},
        reversible,
        sensitive,
        frozenset(missing) | frozenset(unreadable or ()),
        frozenset(missing if unreadable is None else unreadable),
    )


def who(
    agent: str = "agent",
    run: str | None = None,
    labels: Mapping[str, str] | None = None,
    environment: str = "",
) -> Context:
    return Context(agent, run, 0, labels or {}, environment)


def scored(score: int) -> Assessment:
    """A risk that says nothing but its score."""
    return Assessment(Risk(score, (), ""))


def policy_text(
    rules: str, *, name: str = "p", default: str = "BLOCK", mode: str = "enforce", scope: str = ""
) -> str:
    """A policy document around some rules (YAML list items)."""
    head = f"apiVersion: checkrein/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n"
    scope_line = f"  scope: {{agent: {scope}}}\n" if scope else ""
    body = f"{scope_line}  mode: {mode}\n  defaultEffect: {default}\n  rules:"
    listed = dedent(rules).strip()
    return head + body + (f"\n{indent(listed, '    ')}\n" if listed else " []\n")


def organisation_text(spec: str, name: str = "acme") -> str:
    """An organisation document around its `spec`."""
    head = f"apiVersion: checkrein/v1\nkind: Organisation\nmetadata: {{name: {name}}}\nspec:\n"
    return head + indent(dedent(spec).strip() or "{}", "  ") + "\n"


def problems_of_texts(*texts: str, vocabulary: Vocabulary | None = None) -> list[str]:
    """What is wrong with `0.yaml`, `1.yaml` and so on, together."""
    problems: list[Problem] = []
    sources = [(f"{number}.yaml", text) for number, text in enumerate(texts)]
    parse_sources(sources, vocabulary, problems)
    return [str(problem) for problem in sorted(problems)]


def problems_of(text: str, vocabulary: Vocabulary | None = None) -> list[Problem]:
    problems: list[Problem] = []
    parse_sources([("p.yaml", text)], vocabulary, problems)
    return sorted(problems)


def policies_of(*texts: str) -> list[Policy]:
    problems: list[Problem] = []
    sources = [(f"{number}.yaml", text) for number, text in enumerate(texts)]
    policies = parse_sources(sources, None, problems).policies
    assert not problems, [str(problem) for problem in problems]
    return policies


def bundle_of(*texts: str) -> Bundle:
    return Bundle.of(policies_of(*texts))
