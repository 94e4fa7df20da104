"""Where the control plane is, and how long it may take to answer anything."""

from __future__ import annotations

import ssl
from dataclasses import field

from gateway.key_text import load_key_text
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Address, key and deadlines. The key is never shown. `api_ca_file` is trusted instead of the
    system's roots, for a control plane with a certificate of one's own.

    `api_key_file` is read where `api_key` is empty. `control_seconds_max` bounds one ordinary
    call, `connect_seconds_max` its connect. `ask_seconds_max` and `consume_seconds_max` bound a
    call with its retries: long enough for a control plane that restarts, short enough for an agent
    that waits. `wait_retry_seconds_max` bounds the pause between tries while an action is held,
    and with it how late an answer is seen after an outage. `long_poll_seconds` stays below the
    server's 30 s; `long_poll_count_max` bounds connections that only wait, and
    `directory_pause_seconds` parts two polls of the directory. `directory_stale_seconds_max`: how
    long agents known from the cache are let in while the control plane is gone. `ship_*` bound one
    batch of records, how long they gather (a batch costs the same however small, and people look
    at what is a second old), and how long a stop may still ship. `retry_seconds_max`
    bounds the pause between tries of what nobody waits for. `stop_poll_seconds` is the long poll
    for the kill switch, shorter than others so that a connection that has died silently is
    noticed soon; `stop_retry_seconds_max` keeps a stop within a second of the end of an outage.
    `log_key` is the verifier key of the tenant's log; empty, the first that is seen is trusted.
    """

    api_url: str = ""
    api_key: str = field(default="", repr=False)
    api_key_file: str = ""
    api_ca_file: str = ""
    control_seconds_max: float = 10.0
    connect_seconds_max: float = 3.0
    ask_seconds_max: float = 6.0
    consume_seconds_max: float = 10.0
    wait_retry_seconds_max: float = 1.0
    long_poll_seconds: int = 25
    long_poll_count_max: int = 256
    directory_pause_seconds: float = 0.2
    response_bytes_max: int = 8 * 2**20
    directory_stale_seconds_max: float = 86_400.0
    ship_records_max: int = 500
    ship_bytes_max: int = 2**20
    ship_gather_seconds: float = 0.25
    ship_drain_seconds_max: float = 1.5
    retry_seconds_max: float = 15.0
    stop_poll_seconds: int = 5
    stop_retry_seconds_max: float = 0.5
    log_key: str = ""

    def __post_init__(self) -> None:
        if not self.log_key:
            return
        from gateway.record.log.seen import CheckpointRefused, parse_log_key

        try:
            parse_log_key(self.log_key)
        except CheckpointRefused as error:
            raise ValueError(f"log_key: {error.message}") from error

    def load_roots(self) -> ssl.SSLContext:
        """What the control plane's certificate is verified with.

        Raises:
            ConfigurationError: the CA file can't be used.
        """
        try:
            return ssl.create_default_context(cafile=self.api_ca_file or None)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it holds no certificate"
            raise ConfigurationError(
                "control.ca_unreadable",
                [
                    Problem(
                        "CHECKREIN_API_CA_FILE", 0, 0, f"`{self.api_ca_file}` can't be used: {why}",
                        "name a PEM file with the root of the control plane's certificate",
                    )
                ],
            ) from error  # fmt: skip

    def load_key(self) -> str:
        """The key itself; empty when none is configured, and then every call is rejected.

        Raises:
            ConfigurationError: the key file can't be read.
        """
        return load_key_text(
            self.api_key,
            self.api_key_file,
            what="the gateway's key",
            variable="CHECKREIN_API_KEY_FILE",
            code="control.key_unreadable",
        )
