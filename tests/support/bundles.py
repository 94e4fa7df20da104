"""Policies to publish, and the calls that publish them and ask for them."""

from __future__ import annotations

from typing import Any

from tests.support.control_plane import Answer, Client


def policy(name: str, effect: str = "BLOCK", action: str = "create_refund") -> str:
    """A policy of one rule."""
    return f"""\
apiVersion: checkrein/v1
kind: Policy
metadata:
  name: {name}
spec:
  rules:
    - id: the-rule
      priority: 10
      match:
        action: {action}
      effect: {effect}
      reason: REFUNDS
      message: refunds are for people
"""


MAPPER = """\
apiVersion: checkrein/v1
kind: Mapper
metadata:
  name: garden
spec:
  provider: garden
  hosts: [garden.example.com]
  operations:
    POST /plants:
      operation: garden.plants.create
      action: plant_a_tree
      kind: create
"""

_names = iter(range(1, 1_000_000))


def fresh() -> str:
    """A policy's name that no other test uses, so that its bundle is a new one."""
    return f"policy-{next(_names)}"


def body(*texts: str, **more: Any) -> dict[str, Any]:
    documents = [{"name": f"p{number}.yaml", "text": text} for number, text in enumerate(texts)]
    return {"documents": documents, **more}


async def published(client: Client, *texts: str, **more: Any) -> dict[str, Any]:
    answer = await client.call("POST", "/v1/bundles", body(*texts, **more))
    assert answer.status == 201, answer
    return dict(answer.body["bundle"])


async def current(client: Client, query: str = "", key: str = "gateway") -> Answer:
    return await client.call("GET", f"/v1/bundles/current{query}", key=key)
