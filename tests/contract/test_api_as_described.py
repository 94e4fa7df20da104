"""What the API answers is in its published description, whatever it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.contract.api_at_length import probe

EXAMPLES = "3"
"""Of every operation; `python -m tests.contract.api_at_length` has time for many."""

SEED = "1"
"""The same requests each time: what is new is found at length, not by whoever changes something
else."""


@pytest.mark.slow
@pytest.mark.timeout(100)
async def test_no_answer_is_outside_of_the_description(
    postgres_server: EmbeddedPostgres, database_name: str, tmp_path: Path
):
    """Valid and invalid requests of every operation: no 500, no other status, no other shape."""
    options = ("--max-examples", EXAMPLES, "--phases", "fuzzing", "--seed", SEED)
    status, output = await probe(postgres_server, database_name, tmp_path, *options)
    assert status == 0, output
