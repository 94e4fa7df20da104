"""How AWS operations are judged: kinds, what can be undone, and secrets in answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports.aws.kinds import judge
from gateway.authoring.imports.aws.models import Model, ModelOperation
from gateway.model.action import Kind
from tests.unit.authoring.imports.aws_small import model, row


def operation(name: str, *, method: str = "POST", readonly: bool = False) -> ModelOperation:
    """An operation without members."""
    return ModelOperation(name, method, "/", {"readonly": readonly}, ())


def service(name: str, folder: Path) -> Model:
    """A service without operations of interest."""
    return model(folder, {}, name=name)


KINDS = {
    "IAM says read": ("DetectThings", "Read", False, Kind.READ),
    "IAM says write of what sounds like a read": ("GetToken", "Write", False, Kind.ADMIN),
    "IAM says write of what sounds like a listing": ("PollForJobs", "Write", False, Kind.EXECUTE),
    "IAM says permissions": ("PutThing", "Permissions management", False, Kind.ADMIN),
    "IAM says read of what acts": ("InvokeModel", "Read", False, Kind.EXECUTE),
    "a listing among the tagging": ("ListTagsForResource", "Tagging", False, Kind.READ),
    "IAM is silent, the trait speaks": ("ResolveThing", None, True, Kind.READ),
    "both are silent, the name speaks": ("DescribeThings", None, False, Kind.READ),
    "a name that may act": ("ValidateThing", None, False, Kind.UNKNOWN),
    "a name that nobody knows": ("FrobnicateThing", None, False, Kind.UNKNOWN),
    "a permission by its noun": ("AddPermission", None, False, Kind.ADMIN),
    "a planned deletion": ("ScheduleKeyDeletion", "Write", False, Kind.DELETE),
    "a message": ("SendMessage", "Write", False, Kind.SEND),
    "a message to a topic": ("Publish", "Write", False, Kind.SEND),
    "a command is no message": ("SendCommand", "Write", False, Kind.EXECUTE),
    "a version is no message": ("PublishLayerVersion", "Write", False, Kind.CREATE),
    "a comment is no message": ("PostCommentReply", "Write", False, Kind.CREATE),
    "a key is no message": ("SendSSHPublicKey", "Write", False, Kind.ADMIN),
}


@pytest.mark.parametrize(("name", "level", "readonly", "kind"), KINDS.values(), ids=KINDS)
def test_kinds(tmp_path: Path, name: str, level: str | None, readonly: bool, kind: Kind) -> None:
    """The best authority first; what stays unsure is no read."""
    found = judge(service("things", tmp_path), operation(name, readonly=readonly), level)

    assert found.kind is kind


def test_every_change_of_an_identity_service_is_admin(tmp_path: Path) -> None:
    """Creating a user is an act on identities, whatever IAM's level is."""
    iam = service("iam", tmp_path)

    assert judge(iam, operation("CreateUser"), "Write").kind is Kind.ADMIN
    assert judge(iam, operation("ListUsers"), "List").kind is Kind.READ
    assert judge(iam, operation("TagUser"), None).kind is Kind.UPDATE


REVERSIBLE = {
    "a deletion": ("DeleteTable", False),
    "a deletion of many": ("BatchDeleteTables", False),
    "a termination": ("TerminateInstances", False),
    "a planned deletion": ("ScheduleKeyDeletion", False),
    "a purchase": ("PurchaseOffering", False),
    "a message": ("SendMessage", False),
    "a stop": ("StopInstances", True),
    "tags that go": ("DeleteTags", True),
    "an association that goes": ("DeleteAssociation", True),
}


@pytest.mark.parametrize(("name", "is_reversible"), REVERSIBLE.values(), ids=REVERSIBLE)
def test_what_can_be_undone(tmp_path: Path, name: str, is_reversible: bool) -> None:
    """Deletions of data, purchases and messages can't be."""
    found = judge(service("things", tmp_path), operation(name), "Write")

    assert found.reversible is is_reversible


OUTPUTS = {
    "new credentials are no read": ({"C": {"shape": "Credentials"}}, Kind.EXECUTE, "credentials"),
    "a new token is no read": ({"AccessToken": {"shape": "Text"}}, Kind.EXECUTE, "credentials"),
    "a kept secret is a marked read": (
        {"SecretString": {"shape": "Text"}},
        Kind.READ,
        "credentials",
    ),
    "a next page is no secret": ({"NextToken": {"shape": "Text"}}, Kind.READ, ""),
    "a name of a secret is none": ({"SecretName": {"shape": "Text"}}, Kind.READ, ""),
}


@pytest.mark.parametrize(("output", "kind", "mark"), OUTPUTS.values(), ids=OUTPUTS)
def test_secrets_in_answers(
    tmp_path: Path, output: Mapping[str, Any], kind: Kind, mark: str
) -> None:
    """The names of an answer's members tell whether it carries secrets, and new ones."""
    found = row(tmp_path, "GetThing", {"output": output, "readonly": True})

    assert (found.kind, found.sensitive) == (kind, mark)
