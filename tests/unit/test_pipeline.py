"""One request's whole journey, in every way it can go: what is recorded, sent, told, and in which
order."""

from __future__ import annotations

import logging
import threading
from dataclasses import fields
from pathlib import Path

import pytest

from gateway import telemetry
from gateway.canonicalize.catalog.file import CatalogError
from gateway.decide.bundle import Bundle
from gateway.journey.judge import LARGE_BODY_BYTES
from gateway.journey.settings import PipelineSettings
from gateway.model.action import Canonical
from gateway.model.decision import Permit
from gateway.model.effect import Effect, Mode
from gateway.model.errors import AgentProtocolError, RecordError, UpstreamError
from gateway.model.exchange import Authority, Principal
from gateway.model.record import Outcome, RefusalEntry, TunnelEntry
from gateway.ports import Sent, TunnelVerdict
from tests.support.fake_world import FakeWorld, govern, told
from tests.support.limited_world import AT_ONCE
from tests.support.policy_world import act

READ = Canonical((act("get_charge", "read"),), "stripe", "stripe")
CHARGE = Canonical((act("create_charge", "create"),), "stripe", "stripe")
EMPTY = Canonical((), "stripe", "stripe")
AMBIGUOUS = Canonical((), "stripe", "stripe", "ambiguous_path", "two readings")

ALLOW = "- {id: all, priority: 1, effect: ALLOW}"
BLOCK = "- {id: none, priority: 1, effect: BLOCK, reason: NOPE, message: not for agents}"
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL, reason: ASK, message: ask first}"

HELD = ["decision durably", "ask"]


# --- without a person -----------------------------------------------------------------------------

JOURNEYS = {
    "a read that passes": (
        READ, ALLOW, Mode.ENFORCE, ["intent", "send", "outcome"], ("executed", None), "",
    ),
    "a change that passes is on disk before it is sent": (
        CHARGE, ALLOW, Mode.ENFORCE, ["intent durably", "send", "outcome"], ("executed", None), "",
    ),
    "a blocked change": (
        CHARGE, BLOCK, Mode.ENFORCE, ["decision", "outcome"], ("refused", "NOPE"), "not for agents",
    ),
    "no rule matches": (
        CHARGE, "", Mode.ENFORCE, ["decision", "outcome"], ("refused", "NO_RULE_MATCHED"),
        "no rule of policy",
    ),
    "two readings": (
        AMBIGUOUS, ALLOW, Mode.ENFORCE, ["decision", "outcome"], ("refused", "AMBIGUOUS_REQUEST"),
        "two readings",
    ),
    "two readings, in monitor mode too": (
        AMBIGUOUS, ALLOW, Mode.MONITOR, ["decision", "outcome"], ("refused", "AMBIGUOUS_REQUEST"),
        "two readings",
    ),
    "no action at all": (
        EMPTY, ALLOW, Mode.ENFORCE, ["decision", "outcome"], ("refused", "NO_RULE_MATCHED"),
        "holds no action",
    ),
    "monitor lets a blocked change pass": (
        CHARGE, BLOCK, Mode.MONITOR, ["intent durably", "send", "outcome"], ("executed", None), "",
    ),
    "monitor asks nobody": (
        CHARGE, ASK, Mode.MONITOR, ["intent durably", "send", "outcome"], ("executed", None), "",
    ),
    "monitor waits for the disk where it can't tell what happens": (
        EMPTY, ALLOW, Mode.MONITOR, ["intent durably", "send", "outcome"], ("executed", None), "",
    ),
    "a fault of the mapper": (
        ValueError("secret"), ALLOW, Mode.ENFORCE, ["decision", "outcome"],
        ("refused", "GATEWAY_FAULT"), "the mapper failed",
    ),
    "a fault of the mapper, in monitor mode": (
        ValueError("secret"), ALLOW, Mode.MONITOR, ["decision", "outcome"],
        ("refused", "GATEWAY_FAULT"), "the mapper failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("canonical", "rules", "mode", "events", "outcome", "words"),
    JOURNEYS.values(), ids=JOURNEYS.keys(),
)  # fmt: skip
async def test_journeys_without_a_person(
    canonical: Canonical | Exception,
    rules: str,
    mode: Mode,
    events: list[str],
    outcome: tuple[str, str | None],
    words: str,
) -> None:
    """The order of what happens, what is recorded of it, and what the agent reads."""
    world = FakeWorld(canonical, rules, PipelineSettings(mode=mode))
    channel = await govern(world)
    assert world.events == events
    assert world.outcomes == [outcome]
    if words:
        assert words in told(channel)
        assert "secret" not in told(channel)
        assert world.upstream.permits == []
    else:
        assert (channel.response, bytes(channel.body), channel.end) == (None, b"ok", "finished")
        assert world.upstream.permits == [Permit("req_1", "dec-1")]
    assert world.desk.asks == []


async def test_a_decision_that_fails_blocks(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in the engine is counted, logged and refused; it never lets a request through."""
    world = FakeWorld(CHARGE)
    caplog.set_level(logging.CRITICAL)
    bugs = telemetry.BUGS.value

    class Broken(Bundle):
        def decide(self, *_: object) -> None:  # type: ignore[override]
            raise RuntimeError("bug")

    world.swap(Broken(*(getattr(world.bundle, each.name) for each in fields(Bundle))))
    channel = await govern(world)
    assert world.outcomes == [("refused", "POLICY_EVALUATION_FAILED")]
    assert "could not be evaluated" in told(channel)
    assert world.upstream.permits == []
    assert telemetry.BUGS.value == bugs + 1


async def test_what_is_recorded_of_a_decision() -> None:
    """Everything that led to it: the exchange, its meaning, the decision."""
    world = FakeWorld(CHARGE)
    await govern(world)
    (entry,) = world.decisions
    assert (entry.sends, entry.decision_id, entry.approval) == (True, "dec-1", None)
    assert entry.canonical is CHARGE
    assert entry.decision.effect is Effect.ALLOW
    assert entry.decision.revision == world.bundle.revision
    assert entry.at == world.clock.now()


async def test_only_what_waits_has_a_digest() -> None:
    """It is no keyed one: of what nobody is asked about it would only say what it was."""
    asked, passed, watched = "REQUIRE_APPROVAL", "ALLOW", PipelineSettings(mode=Mode.MONITOR)
    for effect, settings, lengths in (
        (asked, PipelineSettings(), {64}),
        (asked, watched, {0}),
        (passed, PipelineSettings(), {0}),
        ("BLOCK", PipelineSettings(), {0}),
    ):
        rules = f"- {{id: all, priority: 1, effect: {effect}}}"
        world = FakeWorld(CHARGE, rules, settings, hold_settings=AT_ONCE)
        await govern(world)
        assert {len(entry.digest or "") for entry in world.decisions} == lengths
        assert {len(ask.digest) for ask in world.desk.asks} == lengths - {0}


async def test_the_context_is_the_principals() -> None:
    """Agent, run, labels and environment reach the policy."""
    rules = """
    - {id: me, priority: 1, effect: ALLOW, match: {agent: agent, run: run-1, environment: prod}}
    """
    world = FakeWorld(READ, rules, PipelineSettings(environment="prod"))
    await govern(world)
    assert world.decisions[0].decision.rule == "me"


async def test_a_streamed_body_passes_and_has_no_digest() -> None:
    """What nobody has to approve may stream."""
    world = FakeWorld(CHARGE)
    await govern(world, body=None)
    assert world.decisions[0].digest is None
    assert world.outcomes == [("executed", None)]


async def test_a_streamed_body_can_not_be_approved() -> None:
    """An approval is of a whole act, so this one is refused and nobody is asked."""
    world = FakeWorld(CHARGE, ASK)
    channel = await govern(world, body=None)
    assert world.outcomes == [("refused", "BODY_TOO_LARGE")]
    assert "longer than can be inspected" in told(channel)
    assert world.desk.asks == []


async def test_a_bundle_may_be_swapped_between_requests() -> None:
    """The next request is decided by the new one."""
    world = FakeWorld(CHARGE)
    await govern(world)
    world.swap(Bundle.empty())
    await govern(world)
    assert world.outcomes == [("executed", None), ("refused", "NO_POLICY")]


# --- the record fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("canonical", [READ, CHARGE], ids=["read", "change"])
async def test_no_record_means_nothing_is_sent(canonical: Canonical) -> None:
    """If the intent can't be written, the upstream sees nothing."""
    world = FakeWorld(canonical)
    world.records.refuses = {"intent"}
    channel = await govern(world)
    assert "RECORD_UNAVAILABLE" in told(channel)
    assert world.upstream.permits == []
    assert "send" not in world.events


async def test_no_record_means_nobody_is_asked() -> None:
    """A hold is on disk before a person hears of it."""
    world = FakeWorld(CHARGE, ASK)
    world.records.refuses = {"decision"}
    channel = await govern(world)
    assert "RECORD_UNAVAILABLE" in told(channel)
    assert world.events == ["decision durably"]
    assert world.desk.asks == []


async def test_a_refusal_is_told_although_it_can_not_be_recorded() -> None:
    """A BLOCK stays a BLOCK; the missing entries are counted."""
    world = FakeWorld(CHARGE, BLOCK)
    world.records.refuses = {"decision", "outcome"}
    faults = telemetry.RECORD_FAULTS.value
    assert "not for agents" in told(await govern(world))
    assert telemetry.RECORD_FAULTS.value == faults + 2


async def test_an_outcome_that_can_not_be_recorded_changes_no_answer() -> None:
    """It was executed, and the agent has the answer already."""
    world = FakeWorld(CHARGE)
    world.records.refuses = {"outcome"}
    channel = await govern(world)
    assert channel.end == "finished"
    assert world.outcomes == []


# --- the upstream ---------------------------------------------------------------------------------

SENTS = {
    "it could not be reached": (
        Sent(Outcome.NOT_SENT, None, False, 0, "upstream.unreachable", "nobody listens"),
        ("not_sent", "upstream.unreachable"), True,
    ),
    "nobody knows what became of it": (
        Sent(Outcome.UNKNOWN, None, False, 0, "upstream.timed_out", "no answer came", 504),
        ("unknown", "upstream.timed_out"), True,
    ),
    "the answer broke off": (
        Sent(Outcome.UNKNOWN, 200, True, 5, "upstream.cut", "the answer broke off"),
        ("unknown", "upstream.cut"), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "outcome", "answers"), SENTS.values(), ids=SENTS.keys())
async def test_what_became_of_it_is_never_guessed(
    sent: Sent, outcome: tuple[str, str], answers: bool
) -> None:
    """The upstream's account is recorded as it is; the agent is answered once."""
    world = FakeWorld(CHARGE)
    world.upstream.sent = sent
    channel = await govern(world)
    assert world.outcomes == [outcome]
    assert (channel.response is not None) is answers


# --- before an exchange ---------------------------------------------------------------------------

ME = Principal("agent", None, {"team": "x"})


@pytest.mark.parametrize(
    ("agent", "key", "principal"),
    [
        ("agent", "secret", Principal("agent", None, {"team": "x"})),
        ("agent+run-1", "secret", Principal("agent", "run-1", {"team": "x"})),
        ("agent+a+b", "secret", Principal("agent", "a+b", {"team": "x"})),
        ("agent+", "secret", Principal("agent", None, {"team": "x"})),
        ("agent", "wrong", None),
        ("other+run", "secret", None),
        ("", "", None),
    ],
)
async def test_who_presents_credentials(agent: str, key: str, principal: Principal | None) -> None:
    """The run is named behind a plus sign; it is no part of who it is."""
    assert await FakeWorld(READ).pipeline.authenticate(agent, key) == principal


def test_which_tunnels_start() -> None:
    """Named hosts pass through, others are inspected, forbidden ones don't start."""
    settings = PipelineSettings(passthrough_hosts=("pinned.example.com",))
    pipeline = FakeWorld(READ, settings=settings).pipeline
    verdicts = {"pinned.example.com": TunnelVerdict.PASSTHROUGH, "x.com": TunnelVerdict.INTERCEPT}
    for host, verdict in verdicts.items():
        assert pipeline.admit_tunnel(ME, Authority(host, 443)) is verdict
    for authority in (Authority("x.com", 25), Authority("127.0.0.1", 443)):
        with pytest.raises(AgentProtocolError) as caught:
            pipeline.admit_tunnel(ME, authority)
        assert (caught.value.code, caught.value.status) == ("destination.forbidden", 403)


async def test_a_tunnel_is_recorded_before_it_opens_and_when_it_closes() -> None:
    """On disk first; then what went through."""
    world = FakeWorld(READ)
    authority = Authority("pinned.example.com", 443)
    wire = await world.pipeline.open_tunnel(ME, authority)
    assert world.events == ["tunnel durably", "tunnel"]
    world.pipeline.note_tunnel_closed(wire, 3, 5)
    opened, closed = world.records.entries
    assert isinstance(opened, TunnelEntry)
    assert isinstance(closed, TunnelEntry)
    assert (opened.tunnel_id, opened.closed) == ("tun-1", False)
    assert (closed.tunnel_id, closed.closed) == ("tun-1", True)
    assert (closed.sent_bytes, closed.received_bytes, closed.agent) == (3, 5, "agent")


async def test_a_tunnel_that_can_not_be_recorded_does_not_open() -> None:
    """No record, no bytes."""
    world = FakeWorld(READ)
    world.records.refuses = {"tunnel"}
    with pytest.raises(RecordError):
        await world.pipeline.open_tunnel(ME, Authority("pinned.example.com", 443))
    assert world.upstream.permits == []


async def test_a_tunnel_that_does_not_connect_is_told() -> None:
    """The session answers; what was opened on paper is closed there too."""
    world = FakeWorld(READ)
    world.upstream.tunnel = UpstreamError("upstream.unreachable", "nobody listens", sent=False)
    with pytest.raises(UpstreamError):
        await world.pipeline.open_tunnel(ME, Authority("pinned.example.com", 443))
    assert [
        (e.tunnel_id, e.closed) for e in world.records.entries if isinstance(e, TunnelEntry)
    ] == [
        ("tun-1", False),
        ("tun-1", True),
    ]


@pytest.mark.parametrize("is_writable", [True, False])
def test_refused_bytes_are_recorded_and_counted(is_writable: bool) -> None:
    """What never became an exchange leaves a trace; a full disk changes nothing for the agent."""
    world = FakeWorld(READ)
    if not is_writable:
        world.records.refuses = {"refusal"}
    error = AgentProtocolError("http.bad_target", "the target is malformed")
    counter = telemetry.REFUSALS.labels("http.bad_target")
    before = counter.value
    world.pipeline.note_refusal(error, "agent", None)
    assert counter.value == before + 1
    entries = world.records.entries
    assert len(entries) == is_writable
    if is_writable:
        (entry,) = entries
        assert isinstance(entry, RefusalEntry)
        assert (entry.code, entry.agent) == ("http.bad_target", "agent")


async def test_what_is_slow_to_read_is_read_beside_the_loop() -> None:
    """A provider's first call, and a large body; the next ordinary call is read in the loop."""
    world = FakeWorld(CHARGE, ALLOW)
    world.canonicalizer.ready = False

    await govern(world)
    await govern(world, body=b"x" * (LARGE_BODY_BYTES + 1))
    await govern(world)

    here = threading.get_ident()
    assert [thread == here for thread in world.canonicalizer.threads] == [False, False, True]
    assert world.events.count("send") == 3


async def test_a_catalog_that_cannot_be_read_blocks(caplog: pytest.LogCaptureFixture) -> None:
    """A damaged catalog refuses the request, and nothing is sent."""
    damaged = CatalogError(Path("x.cat"), "is damaged")
    world = FakeWorld(damaged, ALLOW)
    world.canonicalizer.ready = False

    with caplog.at_level(logging.CRITICAL):
        channel = await govern(world)

    assert world.events == ["decision", "outcome"]
    assert "the mapper failed" in told(channel)
