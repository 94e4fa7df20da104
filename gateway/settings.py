"""Configuration: a YAML file and CHECKREIN_* variables -> one checked `GatewaySettings`.

The sum of the parts' own settings: each part keeps its fields, defaults and reasons beside its
code, and every field has one flat name here (`CHECKREIN_BODY_BYTES_MAX`, in the file
`body_bytes_max`). A variable wins over the file. All problems are reported at once; an unknown
name is one of them, so that a misspelt limit can't silently stay at its default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from gateway.admin import AdminSettings
from gateway.canonicalize.library import load_paths_over_shipped
from gateway.content import policies_dir
from gateway.control_client.limits import SharedLimitSettings
from gateway.control_client.settings import ControlSettings
from gateway.counters.ledger import LedgerBounds
from gateway.enforce.destination import DestinationSettings
from gateway.enforce.hold import HoldSettings
from gateway.enforce.upstream import UpstreamSettings
from gateway.intercept.entrances import EntranceSettings
from gateway.intercept.settings import InterceptSettings
from gateway.journey.settings import PipelineSettings
from gateway.journey.witness_reader import WitnessSettings
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.process.log_lines import LOG_LEVELS
from gateway.process.settings import LifeSettings
from gateway.record.redaction_key import KEY_FILE, load_redaction_key
from gateway.record.spool import SpoolSettings
from gateway.rulesets.settings import RulesetSettings
from gateway.setting_values import convert

PREFIX = "CHECKREIN_"

WORKERS_FOLDER = "workers"
"""In the data directory: a folder for each worker but the first, named by its number."""

_COMMANDS_NAMES = frozenset({"CONFIG", "CACHE_DIR"})
"""What names the file itself, and what only a command reads."""

OTHERS_NAMES = frozenset(
    {
        "API_HOST",
        "API_PORT",
        "DATABASE_URL",
        "REDIS_URL",
        "APPROVED_SECONDS_MAX",
        "BOOTSTRAP_ADMIN_KEY",
        "BOOTSTRAP_MAPPERS",
        "BOOTSTRAP_POLICIES",
        "BUNDLE_KEY_FILE",
        "BOOTSTRAP_GATEWAY_KEY",
        "BOOTSTRAP_AGENT_KEY",
        "BOOTSTRAP_CHANNEL",
        "SLACK_API_URL",
        "WEBHOOK_ALLOW",
        "SECRETS_KEY_FILE",
        "IDEMPOTENCY_SECONDS",
        "DATABASE_CONNECTIONS_MAX",
        "TLS_CERT_FILE",
        "TLS_KEY_FILE",
        "DASHBOARD_ENVIRONMENT",
        "OIDC_ISSUER",
        "OIDC_CLIENT_ID",
        "OIDC_CLIENT_SECRET",
        "LOG_KEY_FILE",
        "LOG_STATE_DIR",
        "ANCHOR_FILE",
        "ANCHOR_SECONDS",
        "ANCHOR_S3_BUCKET",
        "ANCHOR_S3_ACCESS_KEY_ID",
        "ANCHOR_S3_SECRET_ACCESS_KEY",
        "ANCHOR_S3_SESSION_TOKEN",
        "ANCHOR_S3_REGION",
        "ANCHOR_S3_ENDPOINT",
        "ANCHOR_S3_PREFIX",
        "ANCHOR_S3_RETAIN_DAYS",
        "RETENTION_DAYS",
        "OTLP_ENDPOINT",
        "OTLP_HEADERS",
    }
)
"""Names of the control plane and the command, which often share one environment with the
gateway."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Where things lie. `policies` and `mappers` are files or folders, separated as in PATH.
    `ca_dir` is where `ca.pem` and `ca.key` lie; empty, `ca` in the data directory.
    `redaction_key_file` is the key that several gateways mark secrets by; empty, each has its own.
    """

    data_dir: str = ""
    ca_dir: str = ""
    policies: str = ""
    mappers: str = ""
    redaction_key_file: str = ""
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        if self.log_level.upper() not in LOG_LEVELS:
            raise ValueError(f"log_level `{self.log_level}`: give one of {', '.join(LOG_LEVELS)}")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything that the gateway is told from outside."""

    files: FileSettings
    pipeline: PipelineSettings
    intercept: InterceptSettings
    entrances: EntranceSettings
    destination: DestinationSettings
    upstream: UpstreamSettings
    hold: HoldSettings
    witness: WitnessSettings
    spool: SpoolSettings
    control: ControlSettings
    limits: SharedLimitSettings
    ledger: LedgerBounds
    admin: AdminSettings
    ruleset: RulesetSettings
    life: LifeSettings

    @property
    def data_dir(self) -> Path:
        return Path(self.files.data_dir)

    @property
    def ca_dir(self) -> Path:
        """Where the CA that agents trust lies."""
        return Path(self.files.ca_dir) if self.files.ca_dir else self.data_dir / "ca"

    def of_worker(self, number: int) -> GatewaySettings:
        """What one of several workers goes by: its own folder but for the first, the same CA and
        redaction key, and its share of what may be held."""
        share, hold, files, spool = self.life.workers, self.hold, self.files, self.spool
        hold = replace(
            hold,
            hold_count_max=-(-hold.hold_count_max // share),
            hold_count_max_per_agent=-(-hold.hold_count_max_per_agent // share),
        )
        if number > 1:
            load_redaction_key(self.data_dir, files.redaction_key_file)  # made for all
            files = replace(
                files,
                data_dir=str(self.data_dir / WORKERS_FOLDER / str(number)),
                ca_dir=str(self.ca_dir),
                redaction_key_file=files.redaction_key_file or str(self.data_dir / KEY_FILE),
            )
            if spool.gateway_id:
                spool = replace(spool, gateway_id=f"{spool.gateway_id}-{number}")
        return replace(self, files=files, hold=hold, spool=spool)

    @property
    def policy_paths(self) -> tuple[Path, ...]:
        return _paths(self.files.policies) or (policies_dir(),)

    @property
    def mapper_paths(self) -> tuple[Path, ...]:
        """See `load_paths_over_shipped`."""
        return load_paths_over_shipped(_paths(self.files.mappers))


def setting_names() -> tuple[str, ...]:
    """Every flat name, lower case, in the order of the parts."""
    return tuple(field.name for part in _parts().values() for field in fields(part))


def load_settings(environment: Mapping[str, str]) -> GatewaySettings:
    """Read the file that CHECKREIN_CONFIG names, if any, and the variables.

    Raises:
        ConfigurationError: with every problem found.
    """
    problems: list[Problem] = []
    given = _given(environment, problems)
    parts: dict[str, Any] = {name: _part(part, given, problems) for name, part in _parts().items()}
    if not given.get("data_dir"):
        problems.append(
            _problem("data_dir", "no data directory is named", "set CHECKREIN_DATA_DIR to a folder")
        )
    if problems:
        raise ConfigurationError("settings.invalid", problems)
    return GatewaySettings(**parts)


def _parts() -> dict[str, type[Any]]:
    return get_type_hints(GatewaySettings)


def _given(environment: Mapping[str, str], problems: list[Problem]) -> dict[str, object]:
    """What was set, by flat name: text from variables, plain YAML values from the file."""
    known = set(setting_names())
    given: dict[str, object] = {}
    config = environment.get(PREFIX + "CONFIG", "")
    sources: list[tuple[str, str, object]] = []
    if config:
        sources += [(config, str(key), value) for key, value in _config_file(config, problems)]
    for name, text in sorted(environment.items()):
        flat = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and flat not in OTHERS_NAMES | _COMMANDS_NAMES:
            sources.append((name, flat.lower(), text))
    for source, name, value in sources:
        if name in known:
            given[name] = value
            continue
        near = get_close_matches(name, known | {other.lower() for other in OTHERS_NAMES}, n=1)
        problems.append(
            Problem(
                source,
                0,
                0,
                f"there is no setting `{name}`",
                f"did you mean `{near[0]}`?" if near else "controlplane/README.md lists them",
            )
        )
    return given


def _config_file(path: str, problems: list[Problem]) -> list[tuple[object, object]]:
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem(path, 0, 0, f"can't be read: {error}", "check CHECKREIN_CONFIG"))
        return []
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        # The parser's own words hold the line, and that may hold a key.
        mark = getattr(error, "problem_mark", None)
        line, column = (0, 0) if mark is None else (mark.line + 1, mark.column + 1)
        problems.append(Problem(path, line, column, "can't be read as YAML", "write `name: value`"))
        return []
    if not isinstance(document, dict):
        problems.append(Problem(path, 0, 0, "is not a mapping of settings", "write `name: value`"))
        return []
    return list(document.items())


Part = TypeVar("Part")


def _part(part: type[Part], given: Mapping[str, object], problems: list[Problem]) -> Part | None:
    named = [field for field in fields(part) if field.name in given]  # type: ignore[arg-type]
    hints = get_type_hints(part) if named else {}  # they are dear, and few parts are set at all
    values: dict[str, object] = {}
    for field in named:
        value = given[field.name]
        try:
            values[field.name] = convert(hints[field.name], value)
        except ValueError as error:
            secret = any(word in field.name for word in ("key", "secret", "token"))
            shown = "" if secret else f" `{value}`"
            problems.append(_problem(field.name, f"{field.name}{shown}: {error}", ""))
    try:
        return part(**values)
    except (TypeError, ValueError) as error:
        problems.append(_problem(_named_in(str(error), part), str(error), ""))
        return None


def _named_in(message: str, part: type[Any]) -> str:
    """The setting that a problem is about: the first of its part that the message names."""
    own = {field.name for field in fields(part)}
    return next((word for word in re.findall(r"\w+", message) if word in own), part.__name__)


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def _problem(name: str, message: str, help_text: str) -> Problem:
    return Problem(PREFIX + name.upper(), 0, 0, message, help_text)
