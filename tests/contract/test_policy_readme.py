"""What the README and the policies' README show is what there is: policies load, commands exist
with the options that they are shown with, and those that need no network do what is said.

`test_policy_readme_commands.py` holds what the commands of `Ask before you switch on`
print; `tests/unit/decide/test_language_published.py` holds the section of the language.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.cli.main import cli, run_command
from gateway.content import mappers_dir, policies_dir
from gateway.decide.bundle import Bundle
from gateway.decide.loader import load_bundle, make_bundle
from gateway.model.decision import Context
from gateway.model.effect import Effect, Escalation, Mode
from gateway.model.vocabulary import Vocabulary
from tests.support.policy_records import record_fields, sealed
from tests.support.policy_world import act, policy_text

POLICIES = policies_dir() / "README.md"
PRODUCT = Path(__file__).parents[2] / "README.md"
OPERATIONS = PRODUCT.parent / "controlplane" / "README.md"
AGENTS = PRODUCT.parent / "gateway" / "README.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ASSIGNMENT = re.compile(r"^[A-Z_]+=")
ENDS = {"|", ">", "<", "&&", ";", "(", ")"}
RULE = "\n    - {id: asks, priority: 10, effect: REQUIRE_APPROVAL}\n"


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The names of all shipped mappers."""
    return Canonicalizer.load([mappers_dir()]).vocabulary()


def blocks(file: Path, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(file.read_text()) if language in languages]


def block_with(words: str) -> str:
    (found,) = (text for text in blocks(POLICIES, "yaml", "sh", "console") if words in text)
    return found


def commands_of(file: Path) -> Iterator[list[str]]:
    """The words behind each `checkrein` of what is to be typed, up to a pipe or a redirection."""
    typed: list[str] = blocks(file, "sh")
    for block in blocks(file, "console"):
        typed += (line[2:] for line in block.splitlines() if line.startswith("$ "))
    for line in "\n".join(typed).replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>&;()")
        lexer.whitespace_split = True
        words: list[str] | None = None
        for word in [*lexer, ";"]:
            if word in ENDS:
                if words is not None:
                    yield words
                words = None
            elif words is not None:
                words.append(word)
            elif word.rpartition("/")[2] == "checkrein":
                words = []


def shown() -> Iterator[list[str]]:
    for file in (PRODUCT, OPERATIONS, AGENTS, POLICIES):
        yield from commands_of(file)


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", list(shown()), ids=" ".join)
def test_every_command_that_is_shown_can_be_typed(words: list[str]) -> None:
    """It exists, and so does each of its options; what its values are is not looked at."""
    command: click.Command = cli
    rest = words
    while isinstance(command, click.Group) and (rest or not command.invoke_without_command):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, rest[0]
        command, rest = found, rest[1:]
    command.make_parser(click.Context(command)).parse_args(list(rest))


def test_commands_are_found_in_both() -> None:
    """Else the test above would hold nothing."""
    assert len(list(commands_of(PRODUCT))) > 10
    assert len(list(commands_of(POLICIES))) > 20


def test_a_copy_is_checked_and_keeps_its_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first console block, as it stands."""
    monkeypatch.chdir(tmp_path)
    Path("policies").symlink_to(policies_dir())
    for line in block_with("$ cp ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[0] == "cp":
            Path(words[2]).write_bytes(Path(words[1]).read_bytes())
        else:
            assert run_command(words[1:]) == 0, line


def test_a_baseline_is_learnt_from_records(tmp_path: Path) -> None:
    """The command of the section, in a shell; what it makes loads beside a policy."""
    then = load_bundle([policies_dir() / "starter.yaml"])
    action = act("create_charge", params={"amount": 900, "currency": "usd"})
    fields = record_fields(then, action, Context("bot", None, 0))
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(sealed([fields])) + b"\n")
    (tmp_path / "policies").mkdir()
    in_shell(block_with("policies baseline records.jsonl").removeprefix("$ "), tmp_path)
    learnt = (tmp_path / "policies" / "baseline.yaml").read_text()
    assert "create_charge: {count: 1" in learnt
    make_bundle([("baseline.yaml", learnt), ("p.yaml", policy_text(RULE))])


def test_requests_become_decisions_in_a_pipe(tmp_path: Path) -> None:
    """The last command of the section about cases, on one request."""
    (tmp_path / "mine.yaml").write_text((policies_dir() / "starter.yaml").read_text())
    (tmp_path / "requests.jsonl").write_text(
        '{"method": "POST", "url": "https://api.stripe.com/v1/payouts", "headers": [], '
        '"body_b64": ""}\n'
    )
    in_shell(block_with("mappers map < requests.jsonl"), tmp_path)
    (line,) = (tmp_path / "decisions.jsonl").read_text().splitlines()
    assert '"effect":"BLOCK"' in line
    assert '"rule":"money-out"' in line


def in_shell(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, check=True, timeout=60
    )


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [PRODUCT, POLICIES], ids=["product", "policies"])
def test_every_policy_that_is_shown_loads(file: Path, vocabulary: Vocabulary) -> None:
    """With the names of the shipped mappers."""
    texts = [text for text in blocks(file, "yaml") if "kind: Policy" in text]
    assert texts
    for text in texts:
        make_bundle([("readme.yaml", text)], vocabulary)


def test_the_shipped_policies_are_those_of_the_table() -> None:
    """Each guardrail has a row, and the row names the groups whose people it asks."""
    rows = dict(re.findall(r"^\| `([\w-]+)` (\|.*\|.*\|.*\|)$", PRODUCT.read_text(), re.MULTILINE))
    files = (policies_dir() / "guardrails").glob("*.yaml")
    shipped = {file.stem: file for file in files if not file.name.endswith(".cases.yaml")}
    assert rows.keys() == shipped.keys()
    for name, file in shipped.items():
        (policy,) = load_bundle([file]).policies
        asked = [each.terms for each in (*policy.rules, *policy.limits) if each.terms]
        groups = {group for terms in asked for group in terms.groups}
        assert set(re.findall(r"`([\w-]+)`", rows[name])) == groups, name


def test_the_limit_that_is_shown_loads(vocabulary: Vocabulary) -> None:
    """A part of a policy, beside a rule."""
    text = block_with("a path below params")
    bundle = make_bundle([("p.yaml", policy_text(RULE) + text.removeprefix("spec:\n"))], vocabulary)
    (limit,) = bundle.policies[0].limits
    assert (limit.id, limit.max) == ("refund-budget", 50_000)


def test_the_terms_that_are_shown_load() -> None:
    """As a rule has them."""
    terms = yaml.safe_load(block_with("groups: [finance, security]"))["approval"]
    rule = RULE.replace("}\n", f", approval: {yaml.safe_dump(terms, default_flow_style=True)}}}\n")
    approval = make_bundle([("p.yaml", policy_text(rule))]).policies[0].rules[0].terms
    assert approval is not None
    assert (approval.groups, approval.quorum) == (("finance", "security"), 2)
    assert (approval.timeout_seconds, approval.witness_required) == (1800, True)
    assert (approval.comment_required, approval.requester_labels) == (True, ("owner",))
    assert approval.escalation == Escalation(("leads",), 600)


def test_the_cases_that_are_shown_hold(tmp_path: Path) -> None:
    """Those of the section about cases, of the starter policy."""
    (tmp_path / "starter.yaml").write_text((policies_dir() / "starter.yaml").read_text())
    (tmp_path / "starter.cases.yaml").write_text(block_with("a refund asks, however small"))
    assert run_command(["policies", "test", str(tmp_path / "starter.yaml")]) == 0


DESIGN = """\
apiVersion: checkrein/v1
kind: Policy
metadata: {name: payments-guardrails}
spec:
  scope: {agent: billing-*}            # whole organisation when left out
  mode: enforce                        # or monitor
  defaultEffect: BLOCK
  rules:
    - {id: reads, priority: 10, match: {kind: read}, effect: ALLOW, reason: SAFE_READ}
    - id: big-refunds
      priority: 20
      match: {action: create_refund, provider: [stripe, paypal]}
      when: params.amount > 5000 && params.currency == "usd"
      effect: REQUIRE_APPROVAL
      reason: REFUND_NEEDS_REVIEW
      message: refunds above 50 USD need a person
      approval: {groups: [finance], quorum: 1, timeout: 30m, witness: required}
  limits:
    - {id: refund-budget, match: {action: create_refund}, sum: params.amount, per: agent,
       window: 1d, max: 50000, effect: BLOCK, reason: REFUND_BUDGET}
"""
"""The document that the language was designed from."""

SAID: dict[str, tuple[str, int, tuple[Effect, str]]] = {
    "a refund above fifty dollars asks": (
        "billing-1", 5_001, (Effect.REQUIRE_APPROVAL, "REFUND_NEEDS_REVIEW"),
    ),
    "one below is about no rule": ("billing-1", 5_000, (Effect.BLOCK, "NO_RULE_MATCHED")),
    "another agent's has no policy": ("support", 5_001, (Effect.BLOCK, "NO_POLICY")),
}  # fmt: skip


@pytest.mark.parametrize(("agent", "amount", "said"), SAID.values(), ids=SAID)
def test_the_policy_of_the_design_loads_and_decides(
    agent: str, amount: int, said: tuple[Effect, str], vocabulary: Vocabulary
) -> None:
    """What the language was designed to say."""
    bundle: Bundle = make_bundle([("design.yaml", DESIGN)], vocabulary)
    action = act("create_refund", params={"amount": amount, "currency": "usd"})
    decision = bundle.decide((action,), Context(agent, None, 0), Mode.ENFORCE)
    assert (decision.effect, decision.reason_code) == said
