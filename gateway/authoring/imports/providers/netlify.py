"""Netlify, from its own Swagger document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "netlify"
SOURCES = (
    Source(
        "npm",
        "@netlify/open-api",
        "2.60.0",
        "MIT",
        "b1d8f1b4690d68eb6749712e1d8d3f0d14d88e324f91b455069e3b761a7179b0",
    ),
)
_RULES = RowRules(
    kinds={
        "exchangeTicket": Kind.ADMIN,
        "purgeCache": Kind.EXECUTE,
        "restoreSiteDeploy": Kind.UPDATE,
        "uploadDeployFile": Kind.UPDATE,
        "uploadDeployFunction": Kind.UPDATE,
        "provisionSiteTLSCertificate": Kind.CREATE,
        "configureDNSForSite": Kind.UPDATE,
        "createTicket": Kind.ADMIN,
        "transferDnsZone": Kind.UPDATE,
    },
    credentials=frozenset(
        {"exchangeTicket", "getEnvVars", "getEnvVar", "getSiteEnvVars", "createTicket"}
    ),
)
_ACCESS = r"(?i)member|env|deployKey|services?Instance.*Auth|invite|role"
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders["@netlify/open-api"] / "package" / "dist" / "swagger.json"
    options = OpenApiOptions(rules=_RULES)
    return [section_of(path, PROVIDER, ("api.netlify.com",), options, raising(_ACCESS))]
