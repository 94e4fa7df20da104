"""A scripted control plane for the gateway's client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.decide.envelope import public_key_text
from tests.support.bundle_feed import SIGNER, content_of, sealed
from tests.support.fake_control_plane import FakeControlPlane, fake_control_plane


@pytest.fixture
async def publisher() -> AsyncIterator[FakeControlPlane]:
    """A control plane whose current bundle is the fifth."""
    async with fake_control_plane() as fake:
        fake.bundle_key = public_key_text(SIGNER.public_key())
        fake.set_bundle(5, sealed(content_of(5)))
        yield fake
