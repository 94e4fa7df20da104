"""The editor of policies: what is wrong with a text and what it would change, before it is kept.

Every answer gives the text back as it was written: no fault, race or lost connection costs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from controlplane.dashboard.cookies import Cookie
from controlplane.dashboard.forms import Form, whole_number
from controlplane.dashboard.pages.policies import (
    WRITE,
    try_preview,
    version_of,
)
from controlplane.dashboard.visit import Page, Visit, get, post
from controlplane.faults import ControlFault, Fault
from controlplane.services.policies.findings import Tried
from controlplane.services.policies.preview import Checked, Drafted, Previewed
from controlplane.services.policies.versions import Shown
from gateway.content import shipped_policies

TEXT_CHARS_MAX: Final = 256 * 1024
"""Of what is written in a browser: a form of it stays below the megabyte of a request."""

EXAMPLE: Final = """\
# A policy decides what agents may do. The rule with the lowest
# priority number that matches decides; without one, defaultEffect.
apiVersion: checkrein/v1
kind: Policy
metadata: {name: my-policy}
spec:
  # scope: {agent: billing-*}   # left out: every agent
  # mode: monitor               # only watch; left out: enforce
  defaultEffect: BLOCK          # ALLOW, BLOCK, REQUIRE_APPROVAL
  rules:
    - id: reads
      priority: 10
      match: {kind: read}       # or action, provider, agent, ...
      effect: ALLOW
      reason: SAFE_READ
      message: reading changes nothing

    - id: big-refunds
      priority: 20
      match: {action: create_refund}
      # amounts are in cents
      when: params.amount > 5000 && params.currency == "usd"
      effect: REQUIRE_APPROVAL
      reason: REFUND_NEEDS_REVIEW
      message: refunds above 50 USD need a person
      approval: {quorum: 1, timeout: 30m}
"""

_KEPT_FAULTS: Final = (
    Fault.POLICY_INVALID,
    Fault.POLICY_EXISTS,
    Fault.POLICY_CHANGED,
    Fault.POLICIES_FULL,
    Fault.POLICY_VERSIONS_FULL,
    Fault.POLICY_BUSY,
    Fault.BUNDLE_UNVERIFIED,
    Fault.INVALID_ARGUMENT,
    Fault.UNAVAILABLE,
)
"""After these the editor is shown again, with the text."""


@dataclass(frozen=True, slots=True)
class Results:
    """What trying a text said; `lines` is the text, to show what is meant beside each finding."""

    lines: Sequence[str] = ()
    checked: Checked | None = None
    tried: Tried | None = None
    previewed: Previewed | None = None
    problem: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in the editor. `base` is the version that it began as."""

    document: str
    cases: str = ""
    comment: str = ""
    base: int = 0
    etag: int = 0


async def new(visit: Visit) -> web.Response:
    """`GET /dashboard/policies/new`: from a shipped policy (`from`), or from an example."""
    wanted = visit.query("from")
    file = shipped_policies().get(wanted)
    if file is None:
        return await _page(visit, None, Text(EXAMPLE))
    cases = file.with_name(f"{file.stem}.cases.yaml")
    return await _page(
        visit,
        None,
        Text(
            file.read_text(encoding="utf-8"),
            cases.read_text(encoding="utf-8") if cases.is_file() else "",
        ),
        began=wanted,
    )


async def create(visit: Visit) -> web.Response:
    """`POST /dashboard/policies/new`: check it, or keep it as a draft."""
    form = await visit.form()
    text = _text(form)
    if not form.is_set("save"):
        return await _page(visit, None, text, await _try_all(visit, text))
    try:
        _check_length(text)
        comment = form.line("comment", "The comment")
        shown = await visit.services.policies.create(
            visit.caller, "policy.yaml", text.document, "", comment or None
        )
    except ControlFault as fault:
        return await _not_kept(visit, None, text, fault)
    return visit.go(
        f"/policies/{shown.policy.policy_id}/activate",
        done="It is kept as a draft. Nothing changes until you put it in force.",
    )


async def edit(visit: Visit) -> web.Response:
    """`GET /dashboard/policies/{id}/edit`: the newest draft, or the version of `version`."""
    policy_id, number = visit.path_id("policy"), version_of(visit, "version")
    shown = await visit.services.policies.show(visit.caller, policy_id)
    policy = shown.policy
    wanted = number or policy.draft_version or policy.version
    version = (await visit.services.policies.version(visit.caller, policy_id, wanted)).version
    text = Text(version.document or "", base=wanted, etag=policy.revision)
    return await _page(visit, shown, text)


async def save(visit: Visit) -> web.Response:
    """`POST /dashboard/policies/{id}/edit`: check it, or keep it as a new version, a draft."""
    policy_id, form = visit.path_id("policy"), await visit.form()
    shown = await visit.services.policies.show(visit.caller, policy_id)
    text = _text(form)
    if not form.is_set("save"):
        return await _page(visit, shown, text, await _try_all(visit, text))
    try:
        _check_length(text)
        comment = form.line("comment", "The comment")
        _, version = await visit.services.policies.draft(
            visit.caller, policy_id, text.document, comment or None, text.etag
        )
    except ControlFault as fault:
        return await _not_kept(visit, shown, text, fault)
    return visit.go(
        f"/policies/{policy_id}/activate?version={version.version}",
        done=f"Version {version.version} is kept as a draft. "
        "Nothing changes until you put it in force.",
    )


async def try_(visit: Visit) -> web.Response:
    """`POST /dashboard/policies/try`: one part of the results, for the script of the editor."""
    form = await visit.form()
    text = _text(form)
    template = "policy_findings.html"
    if form.is_set("preview"):
        template = "policy_effects.html"
        results = await _preview(visit, text)
    else:
        results = await _check(visit, text)
    return visit.renderer.bare(
        visit.http, visit.cookies.read(visit.http, Cookie.THEME), template, 200, results=results
    )


async def _check(visit: Visit, text: Text) -> Results:
    lines = text.document.split("\n")
    try:
        _check_length(text)
        checked = await visit.services.policy_preview.check(visit.caller, Drafted(text.document))
        tried = None
        if text.cases.strip() and not checked.problems:
            tried = await visit.services.policy_preview.test(
                visit.caller, Drafted(text.document), text.cases
            )
        return Results(lines, checked, tried)
    except ControlFault as fault:
        if fault.fault is Fault.POLICY_INVALID:
            return Results(lines, checked, problem=_of_cases(fault))
        if fault.fault not in _KEPT_FAULTS:
            raise
        return Results(lines, problem=fault.message)


def _of_cases(fault: ControlFault) -> str:
    """The first thing that is wrong with the cases themselves."""
    problems = fault.detail.get("problems")
    first = problems[0] if isinstance(problems, list) and problems else None
    if not isinstance(first, dict):
        return fault.message
    return f"the cases can't be read: line {first.get('line')}: {first.get('message')}"


async def _preview(visit: Visit, text: Text) -> Results:
    if len(text.document) > TEXT_CHARS_MAX:
        return Results(unknown="the text is too long")
    previewed, unknown = await try_preview(visit, Drafted(text.document))
    return Results(previewed=previewed, unknown=unknown)


async def _try_all(visit: Visit, text: Text) -> Results:
    found = await _check(visit, text)
    if found.checked is None or found.checked.problems:
        return found
    more = await _preview(visit, text)
    return Results(
        found.lines, found.checked, found.tried, more.previewed, found.problem, more.unknown
    )


async def _not_kept(
    visit: Visit, shown: Shown | None, text: Text, fault: ControlFault
) -> web.Response:
    """The editor again, with the text and what stood against it."""
    if fault.fault not in _KEPT_FAULTS:
        raise fault
    if fault.fault is Fault.POLICY_INVALID:
        results = await _check(visit, text)
        return await _page(visit, shown, text, results, fault.message, status=422)
    if fault.fault is Fault.POLICY_CHANGED and shown is not None:
        # Whoever saves once more has seen what the other one did.
        now = await visit.services.policies.show(visit.caller, shown.policy.policy_id)
        again = Text(text.document, text.cases, text.comment, text.base, now.policy.revision)
        return await _page(visit, now, again, None, "", status=409, overtaken=True)
    status = 422 if fault.fault is Fault.INVALID_ARGUMENT else 409
    return await _page(visit, shown, text, None, fault.message, status=status)


async def _page(
    visit: Visit,
    shown: Shown | None,
    text: Text,
    results: Results | None = None,
    problem: str = "",
    *,
    status: int = 200,
    overtaken: bool = False,
    began: str = "",
) -> web.Response:
    return await visit.page(
        "policy_editor.html",
        status,
        shown=shown,
        text=text,
        results=results or Results(),
        problem=problem,
        overtaken=overtaken,
        began=began,
        shipped=sorted(shipped_policies()),
        chars_max=TEXT_CHARS_MAX,
    )


def _text(form: Form) -> Text:
    """The text as it stands in the browser, spaces and all: findings name its lines."""
    values = form.values()
    return Text(
        values.get("document", "").replace("\r\n", "\n"),
        values.get("cases", "").replace("\r\n", "\n"),
        values.get("comment", ""),
        whole_number(values.get("base", "")) or 0,
        whole_number(values.get("etag", "")) or 0,
    )


def _check_length(text: Text) -> None:
    for label, value in (("the policy", text.document), ("the cases", text.cases)):
        if len(value) > TEXT_CHARS_MAX:
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                f"{label} is longer than {TEXT_CHARS_MAX} characters; publish it from a file",
            )


PAGE = Page(
    routes=(
        get("/policies/new", new, *WRITE),
        post("/policies/new", create, *WRITE),
        post("/policies/try", try_, *WRITE),
        get("/policies/{id}/edit", edit, *WRITE),
        post("/policies/{id}/edit", save, *WRITE),
    ),
)
