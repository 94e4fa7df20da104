"""The control plane's counters as the gateway's client sees them, in memory, and able to fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.control_client.client import Rejected
from gateway.counters.ledger import Ledger
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.errors import ControlPlaneError
from gateway.model.limit import LimitClaim
from tests.support.fakes import FakeClock


class FakeCounters:
    """Stands in for the limits of `ControlPlaneClient`.

    `lost` are the next calls' fates: `asked` never arrives, `answer` is done and not told, `no` is
    refused for good, `` is as it should be. `calls` is what arrived.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.ledger = Ledger("shared")
        self.calls: list[tuple[str, str]] = []
        self.lost: list[str] = []
        self.is_gone = False
        self._clock = clock

    async def reserve_limits(self, demand: Mapping[str, Any]) -> Mapping[str, Any]:
        def reserve() -> Mapping[str, Any]:
            claims = [_claim(each) for each in demand["claims"]]
            args = demand["owner"], claims, demand["now"], demand["lapsesAt"]
            reserved, _ = self.ledger.reserve(*args)
            return {
                "token": reserved.token,
                "readings": [
                    {
                        "limit": reading.claim.limit,
                        "key": reading.claim.key,
                        "used": reading.used,
                        "isExceeded": reading.is_exceeded,
                    }
                    for reading in reserved.readings
                ],
            }

        return self._do("reserve", demand["owner"], reserve)

    async def start_limits(self, token: str) -> bool:
        return self._do("start", token, lambda: self.ledger.start(token, self._clock.now()))

    async def settle_limits(self, token: str) -> None:
        self._do("settle", token, lambda: self.ledger.settle(token, self._clock.now()))

    async def release_limits(self, token: str) -> None:
        self._do("release", token, lambda: self.ledger.release(token))

    def _do(self, name: str, of: str, act: Any) -> Any:
        fate = "asked" if self.is_gone else self.lost.pop(0) if self.lost else ""
        if fate == "no":
            raise Rejected(422, "NO")
        if fate == "asked":
            raise ControlPlaneError("control.unreachable", "the control plane can't be reached")
        self.calls.append((name, of))
        done = act()
        if fate == "answer":
            raise ControlPlaneError("control.unreachable", "the control plane can't be reached")
        return done


def _claim(fields: Mapping[str, Any]) -> LimitClaim:
    effect = Effect(fields["effect"])
    terms = ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
    return LimitClaim(
        fields["limit"], fields["key"], fields["amount"], fields["max"], fields["since"],
        fields["windowSeconds"], effect, Mode(fields["mode"]), "", "", terms,
    )  # fmt: skip
