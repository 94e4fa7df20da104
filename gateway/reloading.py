"""SIGHUP: read again what may change while requests are served; say what needs a restart.

Each part is taken or left as it was, whole; one that can't be used is logged with what to do, and
never takes the others with it. No connection is closed for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Final

from gateway.enforce.upstream import UpstreamPool
from gateway.intercept.certificates import CertificateAuthority
from gateway.model.errors import ConfigurationError
from gateway.pipeline import Pipeline
from gateway.process import service_manager
from gateway.settings import GatewaySettings, load_settings

log = logging.getLogger(__name__)

TAKEN: Final = frozenset({"log_level", "ports_allowed", "passthrough_hosts"})
"""Settings of the configuration file that are taken without a restart."""


class Reloader:
    """`reload` may be called at any time, any number of times. `settings` are this process's own,
    which `own` takes from those of the whole gateway. `reload_rules` looks for new policies,
    mappers and signing keys; `write_trust` writes the bundle that agents trust."""

    def __init__(
        self,
        settings: GatewaySettings,
        own: Callable[[GatewaySettings], GatewaySettings],
        authority: CertificateAuthority,
        upstreams: Sequence[UpstreamPool],
        pipeline: Pipeline,
        reload_rules: Callable[[], None],
        write_trust: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._own = own
        self._authority = authority
        self._upstreams = upstreams
        self._pipeline = pipeline
        self._reload_rules = reload_rules
        self._write_trust = write_trust

    def reload(self) -> None:
        """Read all of it again."""
        service_manager.tell(service_manager.reloading())
        log.info("reloading")
        for name, part in (
            ("settings", self._reload_settings),
            ("the CA", self._reload_authority),
            ("the roots of upstreams", self._reload_roots),
        ):
            try:
                part()
            except ConfigurationError as error:
                for problem in error.problems:
                    detail = f"{name}: {problem.file}: {problem.message}; {problem.help}"
                    log.error("not reloaded", extra={"code": error.code, "detail": detail})
        self._reload_rules()
        service_manager.tell(service_manager.READY)

    def _reload_settings(self) -> None:
        fresh = self._own(load_settings(os.environ))
        changed = changed_names(self._settings, fresh)
        needs_restart = sorted(changed - TAKEN)
        if needs_restart:
            detail = ", ".join(needs_restart)
            log.warning("settings that need a restart have changed", extra={"detail": detail})
        logging.getLogger().setLevel(fresh.files.log_level.upper())
        self._pipeline.use_destinations(fresh.pipeline)

    def _reload_authority(self) -> None:
        if self._authority.reload():
            self._write_trust()
            log.info("new leaves come from another CA now")

    def _reload_roots(self) -> None:
        for upstream in self._upstreams:
            upstream.reload_trust()


def changed_names(before: GatewaySettings, after: GatewaySettings) -> set[str]:
    """The settings by name that differ."""
    names: set[str] = set()
    for part in fields(before):
        old, new = getattr(before, part.name), getattr(after, part.name)
        names |= {
            field.name
            for field in fields(old)
            if getattr(old, field.name) != getattr(new, field.name)
        }
    return names
