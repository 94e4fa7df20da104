"""Drives botocore through every operation that it has, against the shipped AWS mapper.

`python -m tests.contract.mappers_real_sdks.drive_aws [SERVICE...]` prints a table of all that was
called, in all protocols and host styles, and every operation that was named wrongly.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.aws_calls import (
    PLAIN,
    Way,
    call,
    client,
    services,
    session,
    wire_identity,
)

S3_WAYS = (
    Way("s3 by path", s3={"addressing_style": "path"}),
    Way("s3 by host", s3={"addressing_style": "virtual"}),
    Way("s3 accelerated", s3={"use_accelerate_endpoint": True}),
    Way("s3 dualstack", dualstack=True),
    Way("s3 dualstack by path", s3={"addressing_style": "path"}, dualstack=True),
    Way("s3 fips", region="us-east-1", fips=True),
    Way("s3 in china", region="cn-north-1"),
    Way("s3 in gov", region="us-gov-west-1"),
)
ALL_WAYS = (
    Way("dualstack", dualstack=True),
    Way("fips", region="us-east-1", fips=True),
    Way("china", region="cn-north-1"),
    Way("gov", region="us-gov-west-1"),
    Way("iso", region="us-iso-east-1"),
)


@dataclass(frozen=True)
class Called:
    """One request, and what became of it. `identity` is what the wire tells it by."""

    service: str
    operation: str
    way: str
    full: bool
    identity: tuple[object, ...]
    refused: str | None
    named: str
    kind: Kind | None

    @property
    def expected(self) -> str:
        return f"{self.service}.{self.operation}"


@dataclass
class Drive:
    """All calls; `failed` are those that botocore itself would not serialise."""

    calls: list[Called] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)

    def aliases(self) -> dict[tuple[object, ...], set[str]]:
        """The operations behind each identity."""
        found: dict[tuple[object, ...], set[str]] = defaultdict(set)
        for one in self.calls:
            found[one.identity].add(one.expected)
        return found

    def verdicts(self) -> Iterable[tuple[Called, str]]:
        """Each call with `exact`, `alias`, `unknown`, `refused` or `wrong`."""
        aliases = self.aliases()
        for one in self.calls:
            if one.refused is not None:
                yield one, "refused"
            elif one.named == one.expected:
                yield one, "exact"
            elif one.named in aliases[one.identity]:
                yield one, "alias"
            else:
                yield one, "unknown" if one.named == "unknown" else "wrong"


def canonicalizer() -> Canonicalizer:
    """The shipped AWS mapper alone."""
    return Canonicalizer.load([mappers_dir() / "aws.yaml"])


def drive(
    mapper: Canonicalizer,
    service: str,
    result: Drive,
    *,
    way: Way = PLAIN,
    operations: Sequence[str] | None = None,
    variants: Sequence[bool] = (False, True),
) -> None:
    """Call operations of a service, all of them by default."""
    try:
        made = client(service, way)
    except Exception as error:
        result.failed.append((service, way.name, repr(error)))
        return
    for name in operations or made.meta.service_model.operation_names:
        for full in variants:
            try:
                request = call(made, name, full=full)
            except Exception as error:
                result.failed.append((f"{service}.{name}", f"{way.name}, full={full}", repr(error)))
                continue
            canonical = mapper.canonicalize(request)
            action = canonical.actions[0] if canonical.actions else None
            result.calls.append(
                Called(
                    service,
                    name,
                    way.name,
                    full,
                    wire_identity(made, name, request),
                    canonical.refused and f"{canonical.refused}: {canonical.detail}",
                    action.operation if action else "",
                    action.kind if action else None,
                )
            )


def other_protocols(service: str) -> list[Way]:
    """The protocols that a service has besides the one that botocore prefers."""
    model = session().get_service_model(service)
    metadata: Any = model.metadata
    every = metadata.get("protocols") or [metadata["protocol"]]
    preferred = model.resolved_protocol
    return [Way(f"over {name}", protocol=name) for name in every if name != preferred]


def drive_all(names: Sequence[str]) -> Drive:
    """Every operation of services, in two variants, every protocol and host style."""
    mapper, result = canonicalizer(), Drive()
    for service in names:
        drive(mapper, service, result)
        for way in other_protocols(service):
            drive(mapper, service, result, way=way)
        for way in ALL_WAYS:
            drive(mapper, service, result, way=way, variants=(False,))
        for way in S3_WAYS if service == "s3" else ():
            drive(mapper, service, result, way=way)
    return result


def table(result: Drive) -> str:
    """Verdicts by way of calling."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one, verdict in result.verdicts():
        for key in (one.way, "all"):
            counts[key][verdict] += 1
    columns = ("exact", "alias", "unknown", "refused", "wrong")
    lines = [f"{'':22}{'calls':>8}" + "".join(f"{name:>9}" for name in columns) + "   right"]
    for key, row in counts.items():
        total = row.total()
        right = (row["exact"] + row["alias"]) / total
        cells = "".join(f"{row[name]:>9}" for name in columns)
        lines.append(f"{key:22}{total:>8}{cells}  {right:7.3%}")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and what is wrong."""
    result = drive_all(sys.argv[1:] or services())
    print(table(result))
    seen: Counter[tuple[str, str]] = Counter()
    for one, verdict in result.verdicts():
        if verdict in ("unknown", "refused", "wrong"):
            said = one.refused or one.named
            seen[one.expected, f"{verdict} ({said})"] += 1
    for (operation, said), count in sorted(seen.items()):
        print(f"{operation} {said} x{count}")
    print(f"botocore would not serialise {len(result.failed)}:")
    reasons = Counter(why.partition("(")[0] for _, _, why in result.failed)
    print(dict(reasons))


if __name__ == "__main__":
    main()
