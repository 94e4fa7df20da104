"""OpenAI's API, from the source of its Python SDK: every resource, the organisation's too, and the
same at Azure, where some paths stand below a deployment."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import read_sdk_calls
from gateway.authoring.imports.sdk.rows import sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "openai"
SOURCES = (
    Source(
        "pypi",
        "openai",
        "3.54.0",
        "Apache-2.0",
        "3cdb7d0d85bb765c7c92e7e2922c4a6cb9beb085b161b03da07f4dff61805916",
    ),
)
READS = {
    "openai.vector_stores.search": "a search: the store stays as it is",
    "openai.responses.input_tokens.count": "counts the tokens of an input; no model runs",
    "openai.beta.responses.input_tokens.count": "counts the tokens of an input; no model runs",
}
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        "openai.files.create": Kind.CREATE,
        "openai.fine_tuning.alpha.graders.validate": Kind.EXECUTE,
    },
    admin=re.compile(
        r"^openai\.admin\.|\.permissions\.|\.vaults\.credentials\.|^openai\.webhooks\."
    ),
    # A model runs: it acts on nothing, and costs money.
    executes=re.compile(
        r"(?:completions|responses|embeddings|moderations|speech|transcriptions|translations|runs"
        r"|decisions|content_provenance_checks|calls|videos|invocations|live)\.create$"
        r"|create_and_run|\.images\.|\.videos\.(?:edit|extend|remix)|responses\.compact"
        r"|client_events|sessions\.events\.create"
    ),
    credentials=re.compile(
        r"admin_api_keys\.create|service_accounts\.create|api_keys\.create|client_secrets\.create"
        r"|realtime\.(?:transcription_)?sessions\.create|chatkit\.sessions\.create"
        r"|webhooks\.(?:create|rotate)|secret"
    ),
    irreversible=re.compile(r"\.redact|\.archive$"),
)


HOSTS = ("api.openai.com", "eu.api.openai.com", "us.api.openai.com")
AZURE_HOSTS = ("*.openai.azure.com",)
AZURE_PREFIXES = ("/openai", "/openai/v1")
"""Azure serves the API below `/openai`; the newer form has OpenAI's own version in it."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = without_aliases(PROVIDER, read_sdk_calls(folders["openai"], "openai", "OpenAI"))
    azure = [row for prefix in AZURE_PREFIXES for row in sdk_rows(calls, JUDGEMENT, prefix=prefix)]
    deployed = _deployed(folders["openai"])
    for named in calls:
        if named.call.template in deployed:
            path = f"/deployments/{{deployment}}{named.call.template}"
            call = replace(named, call=replace(named.call, template=path))
            azure += sdk_rows([call], JUDGEMENT, prefix=AZURE_PREFIXES[0])
    return [
        NewSection(PROVIDER, sdk_rows(calls, JUDGEMENT, prefix="/v1"), hosts=HOSTS),
        NewSection("azure", azure, hosts=AZURE_HOSTS),
    ]


def _deployed(folder: Path) -> frozenset[str]:
    """The paths that stand below a deployment at Azure, as the SDK's client for it has them."""
    tree = ast.parse((folder / "openai" / "lib" / "azure.py").read_bytes())
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="_deployments_endpoints")], value=ast.Call(args=[paths])
            ):
                return frozenset(ast.literal_eval(paths))
    raise LookupError("the SDK does not say what stands below a deployment")
