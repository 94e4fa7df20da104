"""Drives every operation of the published description against a real control plane.

    python -m tests.contract.api_at_length [EXAMPLES]

The generator (schemathesis) makes valid and invalid requests out of the description alone; whatever
is answered must be in it. The suite does the same with few examples.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from controlplane.auth import Permission
from controlplane.services.waiting import WaitingSettings
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings
from tests.support.control_plane import LIMITS, running_plane
from tests.support.database import make_database
from tests.support.tenants import make_key

IMPATIENT = replace(LIMITS, waiting=WaitingSettings(wait_seconds_max=0.02))
"""Generated requests ask to wait; nobody will wake them."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "use_after_free",
    "ignored_auth",
)
"""All but `positive_data_acceptance`: that two fields exclude each other stands in no schema."""

EVERYTHING = [one.value for one in Permission if one is not Permission.AGENT]


async def probe(
    server: EmbeddedPostgres, name: str, data_dir: Path, *options: str
) -> tuple[int, str]:
    """Run the generator once; its exit status, and what it wrote."""
    async with running_plane(server, name, data_dir, IMPATIENT) as client:
        key = await make_key(server, name, EVERYTHING)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run",
            f"{client.url}/v1/openapi.json",
            "--header", f"x-api-key: {key}",
            "--checks", ",".join(CHECKS),
            "--suppress-health-check", "all",
            "--no-color",
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=data_dir,
        )  # fmt: skip
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, output.decode()


async def _main(examples: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = PostgresSettings(connection_count_max=100)
        server = EmbeddedPostgres(home / "postgres", home / "postgres.log", settings)
        await server.start()
        try:
            name = await asyncio.to_thread(make_database, server)
            data_dir = home / "data"
            data_dir.mkdir()
            status, output = await probe(
                server, name, data_dir, "--max-examples", examples, "--continue-on-failure"
            )
        finally:
            await server.stop()
    print(output)
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1] if len(sys.argv) > 1 else "50")))
