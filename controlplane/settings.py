"""CHECKREIN_* variables -> one checked `ControlSettings`; every problem is reported at once.

Variables of the gateway and the command share the environment and are left alone here; what
is ours in all but a letter is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from controlplane.variables import (
    parse_base_url,
    parse_bucket,
    parse_connections,
    parse_days,
    parse_days_or_never,
    parse_headers,
    parse_issuer,
    parse_key,
    parse_level,
    parse_list,
    parse_paths,
    parse_port,
    parse_prefix,
    parse_region,
    parse_seconds,
    parse_short,
    parse_url,
)
from gateway.model.aws_signature import AwsKeys
from gateway.model.errors import ConfigurationError, Problem

PREFIX = "CHECKREIN_"

MISSPELT_RATIO = 0.85
"""How near to one of ours a name is that can only be a slip; those of the gateway are farther."""

SLACK_API_URL = "https://slack.com/api"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class BootstrapKeys:
    """Keys that the operator chose. None: from the data directory, or made there."""

    admin: str | None = field(default=None, repr=False)
    gateway: str | None = field(default=None, repr=False)
    agent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BundleFilesSettings:
    """Where bundles come from. `key_file` None: the key is made and kept in the data directory.
    `first_policies` and `first_mappers` are published when a tenant has no bundle."""

    key_file: Path | None = None
    first_policies: tuple[Path, ...] = ()
    first_mappers: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What signs the tenants' logs. `key_file` None: the key is made and kept in the data
    directory. `state_dir`: where the signer remembers what it signed, outside of the database;
    None: in the data directory."""

    key_file: Path | None = None
    state_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class AnchorS3Settings:
    """A bucket with Object Lock. `retain_days`: for how long nobody, not even the account's owner,
    can delete a checkpoint; a year outlasts most audits. `endpoint` None: AWS itself."""

    bucket: str
    keys: AwsKeys
    region: str = "us-east-1"
    endpoint: str | None = None
    prefix: str = ""
    retain_days: int = 365


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """Where checkpoints are kept that whoever administers the database can't reach. `file`: a
    folder or a file elsewhere. `seconds`: how often, with growth; each S3 object is paid for."""

    file: Path | None = None
    s3: AnchorS3Settings | None = None
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class ReachingSettings:
    """How people are reached. `public_url`: where they reach this control plane, for links; None:
    where it listens. `secrets_key_file` None: the key is made and kept in the data directory.
    `webhook_allow`: hosts, addresses and networks that are not public and may be sent to.
    `first_channel`: a channel as the API takes it, added when the tenant has none of its name."""

    public_url: str | None = None
    secrets_key_file: Path | None = None
    webhook_allow: tuple[str, ...] = ()
    slack_api_url: str = SLACK_API_URL
    first_channel: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """An OpenID provider that people sign in to the dashboard with."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """An OpenTelemetry collector that gets every record as a log: its base URL, to which
    `/v1/logs` is added, and the headers that it wants."""

    endpoint: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """With what the API is served over TLS: PEM files, the key without a password."""

    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """`approved_seconds_max`: how long an approval stays usable; 15 minutes let an agent that went
    away come back, and are short enough that the world is still the one that was approved.
    `idempotency_seconds`: how long a repeated request gets the first answer; clients repeat within
    seconds, and five minutes let one come back after a restart. `dashboard_environment` names this
    installation in the dashboard, such as `production`. `database_connections_max` is of the pool:
    replicas share what the server allows. `retention_days`: what is older loses its body, where a
    tenant does not say otherwise; 0: nothing does."""

    data_dir: Path | None
    database_url: str | None = field(default=None, repr=False)
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    redis_url: str | None = field(default=None, repr=False)
    approved_seconds_max: float = 900.0
    log_level: str = "INFO"
    bootstrap: BootstrapKeys = BootstrapKeys()
    bundles: BundleFilesSettings = BundleFilesSettings()
    reaching: ReachingSettings = ReachingSettings()
    log: LogSettings = LogSettings()
    anchors: AnchorSettings = AnchorSettings()
    idempotency_seconds: float = 300.0
    dashboard_environment: str = ""
    oidc: OidcSettings | None = None
    tls: TlsSettings | None = None
    database_connections_max: int = 12
    retention_days: int = 0
    otlp: OtlpSettings | None = None


def load_settings(environment: Mapping[str, str]) -> ControlSettings:
    """Read the variables.

    Raises:
        ConfigurationError: with every problem found.
    """
    reader = _Reader(environment)
    data_dir = reader.read("DATA_DIR", Path, None)
    database_url = reader.read("DATABASE_URL", parse_url(("postgresql://", "postgres://")), None)
    settings = ControlSettings(
        data_dir=data_dir,
        database_url=database_url,
        api_host=reader.read("API_HOST", str, "127.0.0.1"),
        api_port=reader.read("API_PORT", parse_port, 8080),
        redis_url=reader.read("REDIS_URL", parse_url(("redis://", "rediss://", "unix://")), None),
        approved_seconds_max=reader.read("APPROVED_SECONDS_MAX", parse_seconds, 900.0),
        idempotency_seconds=reader.read("IDEMPOTENCY_SECONDS", parse_seconds, 300.0),
        log_level=reader.read("LOG_LEVEL", parse_level, "INFO"),
        bootstrap=BootstrapKeys(
            *(
                reader.read(f"BOOTSTRAP_{role}_KEY", parse_key, None)
                for role in ("ADMIN", "GATEWAY", "AGENT")
            )
        ),
        bundles=BundleFilesSettings(
            reader.read("BUNDLE_KEY_FILE", Path, None),
            reader.read("BOOTSTRAP_POLICIES", parse_paths, ()),
            reader.read("BOOTSTRAP_MAPPERS", parse_paths, ()),
        ),
        log=LogSettings(
            reader.read("LOG_KEY_FILE", Path, None), reader.read("LOG_STATE_DIR", Path, None)
        ),
        anchors=AnchorSettings(
            reader.read("ANCHOR_FILE", Path, None),
            _anchor_s3(reader),
            reader.read("ANCHOR_SECONDS", parse_seconds, 300.0),
        ),
        reaching=ReachingSettings(
            reader.read("PUBLIC_URL", parse_base_url, None),
            reader.read("SECRETS_KEY_FILE", Path, None),
            reader.read("WEBHOOK_ALLOW", parse_list, ()),
            reader.read("SLACK_API_URL", parse_base_url, SLACK_API_URL),
            reader.read("BOOTSTRAP_CHANNEL", str, None),
        ),
        dashboard_environment=reader.read("DASHBOARD_ENVIRONMENT", parse_short, ""),
        oidc=_oidc(reader),
        tls=_tls(reader),
        database_connections_max=reader.read("DATABASE_CONNECTIONS_MAX", parse_connections, 12),
        retention_days=reader.read("RETENTION_DAYS", parse_days_or_never, 0),
        otlp=_otlp(reader),
    )
    if data_dir is None and database_url is None:
        reader.note("DATA_DIR", "neither it nor CHECKREIN_DATABASE_URL is set", "set one of them")
    if data_dir is None and None in (settings.bootstrap.admin, settings.bootstrap.gateway):
        reader.note(
            "DATA_DIR",
            "it is not set, so keys that are made would be lost",
            "set it, or set CHECKREIN_BOOTSTRAP_ADMIN_KEY and CHECKREIN_BOOTSTRAP_GATEWAY_KEY",
        )
    if data_dir is None and settings.log.key_file is not None and settings.log.state_dir is None:
        reader.note(
            "LOG_STATE_DIR",
            "neither it nor CHECKREIN_DATA_DIR is set, so what was signed would be forgotten",
            "set one of them",
        )
    reader.note_misspelt()
    if reader.problems:
        raise ConfigurationError("settings.invalid", reader.problems)
    return settings


class _Reader:
    """Reads variables and collects what is wrong with them. An empty one counts as unset."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._names: set[str] = set()
        self.problems: list[Problem] = []

    def read(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        self._names.add(name)
        text = self._environment.get(PREFIX + name, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.note(name, str(error), "")
            return default

    def note_misspelt(self) -> None:
        """Name the variables that were meant for us and are read by nobody. After all are read."""
        for variable in sorted(self._environment):
            name = variable.removeprefix(PREFIX)
            if not variable.startswith(PREFIX) or name in self._names:
                continue
            near = get_close_matches(name, self._names, 1, MISSPELT_RATIO)
            if near:
                self.note(name, "there is no such setting", f"did you mean `{PREFIX}{near[0]}`?")

    def note(self, name: str, message: str, help_text: str) -> None:
        # The value is not repeated: it may be a secret.
        self.problems.append(Problem(PREFIX + name, 0, 0, message, help_text))


def _otlp(reader: _Reader) -> OtlpSettings | None:
    endpoint = reader.read("OTLP_ENDPOINT", parse_base_url, None)
    headers = reader.read("OTLP_HEADERS", parse_headers, None)
    return None if endpoint is None else OtlpSettings(endpoint, headers or ())


def _oidc(reader: _Reader) -> OidcSettings | None:
    """The OpenID provider: three variables, all of them or none."""
    issuer = reader.read("OIDC_ISSUER", parse_issuer, None)
    client_id = reader.read("OIDC_CLIENT_ID", str, None)
    client_secret = reader.read("OIDC_CLIENT_SECRET", str, None)
    if issuer is None or client_id is None or client_secret is None:
        if (issuer, client_id, client_secret) != (None, None, None):
            reader.note(
                "OIDC_ISSUER",
                "it needs CHECKREIN_OIDC_CLIENT_ID and CHECKREIN_OIDC_CLIENT_SECRET, and they it",
                "set all three, or none",
            )
        return None
    return OidcSettings(issuer, client_id, client_secret)


def _anchor_s3(reader: _Reader) -> AnchorS3Settings | None:
    """The bucket that checkpoints are locked in: its name and two keys, or none of them."""
    bucket = reader.read("ANCHOR_S3_BUCKET", parse_bucket, None)
    key_id = reader.read("ANCHOR_S3_ACCESS_KEY_ID", str, None)
    secret = reader.read("ANCHOR_S3_SECRET_ACCESS_KEY", str, None)
    token = reader.read("ANCHOR_S3_SESSION_TOKEN", str, "")
    region = reader.read("ANCHOR_S3_REGION", parse_region, "us-east-1")
    endpoint = reader.read("ANCHOR_S3_ENDPOINT", parse_base_url, None)
    prefix = reader.read("ANCHOR_S3_PREFIX", parse_prefix, "")
    retain_days = reader.read("ANCHOR_S3_RETAIN_DAYS", parse_days, 365)
    if bucket is None or key_id is None or secret is None:
        if (bucket, key_id, secret) != (None, None, None):
            reader.note(
                "ANCHOR_S3_BUCKET",
                "it needs CHECKREIN_ANCHOR_S3_ACCESS_KEY_ID and "
                "CHECKREIN_ANCHOR_S3_SECRET_ACCESS_KEY, and they it",
                "set all three, or none",
            )
        return None
    keys = AwsKeys(key_id, secret, token)
    return AnchorS3Settings(bucket, keys, region, endpoint, prefix, retain_days)


def _tls(reader: _Reader) -> TlsSettings | None:
    cert_file = reader.read("TLS_CERT_FILE", Path, None)
    key_file = reader.read("TLS_KEY_FILE", Path, None)
    if cert_file is None and key_file is None:
        return None
    if cert_file is None or key_file is None:
        name = "TLS_KEY_FILE" if key_file is None else "TLS_CERT_FILE"
        reader.note(name, "it is not set, and the other file of the pair is", "set both, or none")
        return None
    return TlsSettings(cert_file, key_file)
