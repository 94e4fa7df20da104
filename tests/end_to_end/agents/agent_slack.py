"""An agent on the Slack SDK: reads a channel, posts to one, archives one."""

from __future__ import annotations

from collections.abc import Mapping

import slack_sdk
import slack_sdk.errors
from telling import tell

client = slack_sdk.WebClient(token="xoxb-test-checkrein")


def describe(error: Exception) -> Mapping[str, object]:
    """What a SlackApiError carries."""
    if not isinstance(error, slack_sdk.errors.SlackApiError):
        return {}
    response = error.response
    return {
        "status": response.status_code,
        "headers": dict(response.headers),
        "code": response["error"],
    }


tell(
    {
        "read": lambda tag: client.conversations_info(channel=f"C{tag}"),
        "risky": lambda tag: client.chat_postMessage(channel="C1", text=f"message {tag}"),
        "forbidden": lambda tag: client.conversations_archive(channel=f"C{tag}"),
    },
    describe,
)
