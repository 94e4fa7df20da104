"""The operator's own channel, written into the environment as the API takes it -> a stored one, so
that the first start is enough to reach somebody."""

from __future__ import annotations

import uuid

from pydantic import ValidationError

from controlplane.api.channel_bodies import ChannelBody
from controlplane.api.parsing import first_problem
from controlplane.faults import ControlFault, Fault, StartError
from controlplane.services.reaching.channels import ChannelService
from controlplane.settings import ReachingSettings


async def add_first_channel(
    channels: ChannelService, tenant_id: uuid.UUID, settings: ReachingSettings
) -> None:
    """Add the channel that the operator wrote into the environment, where there is none of its
    name.

    Raises:
        StartError: it can't be read, or may not be.
    """
    if settings.first_channel is None:
        return
    try:
        body = ChannelBody.model_validate_json(settings.first_channel)
        await channels.add(tenant_id, body.draft())
    except ValidationError as error:
        raise _bad_first(first_problem(error)) from None
    except ControlFault as fault:
        if fault.fault is not Fault.CHANNEL_EXISTS:
            raise _bad_first(fault.message) from None


def _bad_first(why: str) -> StartError:
    return StartError(
        "channel.bad_first",
        f"CHECKREIN_BOOTSTRAP_CHANNEL can't be used: {why}",
        'write JSON as for POST /v1/channels, like {"name": "ops", "webhook": {"url": "https://..."}}',
    )
