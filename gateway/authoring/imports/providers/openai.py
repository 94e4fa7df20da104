"""OpenAI's API, from the source of its Python SDK: every resource, the organisation's too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import sdk_rows, without_aliases
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


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = without_aliases(PROVIDER, read_sdk_calls(folders["openai"], "openai", "OpenAI"))
    return [NewSection(PROVIDER, sdk_rows(calls, JUDGEMENT, prefix="/v1"))]
