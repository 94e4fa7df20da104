"""Judges AWS operations: kind, whether they can be undone, whether they give credentials away.

IAM's access level is believed first, then the `readonly` trait, then the name, then the method.
What mints credentials is never a plain read, whatever its level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from gateway.authoring.imports.aws.levels import PERMISSIONS, READS, TAGGING
from gateway.authoring.imports.aws.models import Model, ModelOperation
from gateway.canonicalize.naming.kinds import changes_access, derived_kind, verb_in
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_ACTS = frozenset(
    {
        "invoke", "start", "run", "execute", "send", "create", "delete", "put", "update", "assume",
        "issue", "register", "publish", "terminate", "stop", "cancel", "import", "restore",
        "converse", "chat", "set", "complete", "request", "write", "bulk",
    }
)  # fmt: skip
"""First words that act, even where IAM calls the operation a read."""
_IDENTITY = frozenset(
    {
        "iam", "identitystore", "sso-admin", "rolesanywhere", "sts", "cognito-identity", "ram",
        "account-access", "organizations", "verifiedpermissions",
    }
)  # fmt: skip
"""Services that are about identities and permissions alone: every change is `admin`."""
_ACCESS = re.compile(
    r"permissions?|grants?|acls?|(?:resource|access|key|bucket|queue|repository|role|principal"
    r"|user|group|trust|identity|assume role|scaling resource) polic(?:y|ies)"
    r"|principals?|trust|identity (?:provider|source|center)|access (?:key|entry|point policy)"
    r"|public access block|(?:verified|ownership) controls|api keys?|key pair"
    r"|(?:login|user) profile|mfa device|delegated admin(?:istrator)?|iam roles?|instance profile"
    r"|network acl|security group(?: ingress| egress)?|(?:serial console )?ssh public key"
)
_PLAIN = frozenset({"sqs.CreateQueue", "sns.CreateTopic", "es.CreateElasticsearchDomain"})
"""Filed under permissions because a policy can be given along; what they do is make a thing."""
_OTHER_MEMBERS = frozenset({"glue", "personalize-events", "mailmanager"})
"""Services whose members, users and rulesets are data."""
_ALSO_NO_MESSAGES = frozenset({"send", "post", "publish"})
_MESSAGES = frozenset(
    {
        "message", "messages", "email", "notification", "verification", "code", "bounce", "bonus",
        "device", "multicast", "voice", "invites", "offer", "asset",
    }
)  # fmt: skip
"""What is sent to people and devices, and can't be called back."""
_GONE = frozenset({"delete", "terminate", "destroy", "purge", "truncate", "release", "erase"})
_LIGHT = frozenset({"tag", "tags", "tagging", "association", "associations"})
"""What is deleted here can be written again by whoever has the record."""
_PAID = re.compile(r"purchase|accept (?:quote|inbound|agreement)|buy|transfer domain|withdraw")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a row says about an operation beyond its wire."""

    kind: Kind
    reversible: bool
    sensitive: str


def judge(model: Model, operation: ModelOperation, level: str | None) -> Judgement:
    """Judge one operation. `level` is IAM's, None where it has none."""
    words = words_of(operation.name)
    secret = secrecy(model, operation)
    kind = _kind(model, operation, level, words)
    if secret is Secrecy.MINTED and kind in (Kind.READ, Kind.UNKNOWN):
        kind = Kind.ADMIN if model.name in _IDENTITY else Kind.EXECUTE
    return Judgement(kind, _is_reversible(kind, words), "credentials" if secret else "")


def _kind(model: Model, operation: ModelOperation, level: str | None, words: list[str]) -> Kind:
    is_read: bool | None = None
    if level is not None:
        # IAM files some `ListTagsForResource` under tagging, beside the writes.
        is_read = level in READS or (level == TAGGING and words[0] == "list")
    elif operation.is_readonly:
        is_read = True
    method = operation.method if model.is_rest else "POST"
    first = verb_in(words) or words[0]
    if is_read and first not in _ACTS:
        return Kind.READ
    if level == PERMISSIONS and f"{model.name}.{operation.name}" not in _PLAIN:
        return Kind.ADMIN
    if words[0] == "schedule":
        return Kind.DELETE if "deletion" in words else Kind.EXECUTE
    kind = derived_kind(words, method, is_read=False if is_read else is_read)
    if kind is Kind.READ:
        return kind
    text = " ".join(words[1:])
    is_access = bool(_ACCESS.fullmatch(text)) or model.name in _IDENTITY
    if model.name not in _OTHER_MEMBERS:
        is_access = is_access or changes_access(words)
    if is_access and level != TAGGING and words[0] not in ("tag", "untag"):
        return Kind.ADMIN
    return _sent(words) if kind is Kind.SEND and first in _ALSO_NO_MESSAGES else kind


def _sent(words: list[str]) -> Kind:
    """A message that leaves, or one of the other things that AWS sends, posts and publishes: a
    command, the state of a task, a comment, a version of a function."""
    nouns = set(words[1:])
    if nouns <= {"batch"} or not _MESSAGES.isdisjoint(nouns) or words[1:] == ["to", "connection"]:
        return Kind.SEND
    return Kind.EXECUTE if words[0] == "send" else Kind.CREATE


def _is_reversible(kind: Kind, words: list[str]) -> bool:
    if kind is Kind.READ:
        return True
    if kind is Kind.SEND or _PAID.search(" ".join(words)):
        return False
    if words[0] == "schedule" and "deletion" in words:
        return False
    acts = words[1:] if words[0] in ("batch", "admin", "bulk") else words
    return not (acts and acts[0] in _GONE and _LIGHT.isdisjoint(acts))


# --- secrets in answers ---------------------------------------------------------------------------


class Secrecy(IntEnum):
    """Whether an answer carries secrets: NONE, KEPT ones, or MINTED for the caller."""

    NONE = 0
    KEPT = 1
    MINTED = 2


_MINTED = re.compile(
    r"sessiontoken|(?:\w*access|refresh|id|auth|authorization|bearer|workloadaccess)token|dbpassword"
    r"|(?:web|cli|participant|connection|open|federation)token|authorizedurl|embedurl|signinurl"
    r"|streamingurl|webidentitytoken"
)
_KEPT = re.compile(
    r"\w*secretaccesskey|secretkey|secretstring|secretbinary|\w*privatekey(?:plaintext|base64)?"
    r"|keymaterial|passworddata|plaintext|privatekeyplaintext|clientsecret|sharedsecret"
    r"|base32stringseed|service(?:password|credentialsecret)|randompassword|streamkey|secret"
    r"|securitytoken"
)
_MASKED = re.compile(r"\w*password")
"""Services give most passwords back as stars, so these count only at the top of an answer."""
_NAMED_MINTS = frozenset(
    {
        "ssm.GetAccessToken", "license-manager.CreateToken", "workmail.AssumeImpersonationRole",
        "grafana.CreateWorkspaceApiKey", "grafana.CreateWorkspaceServiceAccountToken",
        "appsync.CreateApiKey", "apigateway.CreateApiKey", "ivschat.CreateChatToken",
        "location.CreateKey", "iam.CreateLoginProfile", "iam.UpdateLoginProfile",
        "codecatalyst.CreateAccessToken", "redshift.GetIdentityCenterAuthToken",
        "redshift-serverless.GetIdentityCenterAuthToken", "ivs-realtime.CreateParticipantToken",
        "cognito-identity.GetOpenIdToken", "sagemaker.CreateHubContentPresignedUrls",
        "cognito-identity.GetOpenIdTokenForDeveloperIdentity", "kms.GenerateDataKey",
        "kms.GenerateDataKeyPair",
    }
)  # fmt: skip
_NAMED_KEPT = frozenset(
    {
        "ssm.GetParameter", "ssm.GetParameters", "ssm.GetParametersByPath",
        "ssm.GetParameterHistory", "apigateway.GetApiKey", "apigateway.GetApiKeys",
        "appsync.ListApiKeys", "location.DescribeKey", "lightsail.DownloadDefaultKeyPair",
        "pca-connector-scep.GetChallengePassword", "emr.GetClusterSessionCredentials",
        "emr-containers.GetManagedEndpointSessionCredentials",
    }
)  # fmt: skip
"""Answers whose secrets have names that say nothing (`Value`, `key`), read in their documents."""
_NAMES_DEPTH = 3


def secrecy(model: Model, operation: ModelOperation) -> Secrecy:
    """Whether the answer of an operation carries secrets, by the names of its members."""
    name = f"{model.name}.{operation.name}"
    if name in _NAMED_MINTS:
        return Secrecy.MINTED
    found = Secrecy.KEPT if name in _NAMED_KEPT else Secrecy.NONE
    output = operation.raw.get("output")
    if output is None:
        return found
    members = set(_members(output["shape"], model.shapes, 0, frozenset()))
    secret_at = min((depth for text, depth in members if _KEPT.fullmatch(text)), default=9)
    minted_at = min((depth for text, depth in members if _MINTED.fullmatch(text)), default=9)
    has_pair = {"secretaccesskey", "sessiontoken"} <= {text for text, _ in members}
    if minted_at <= 1 or has_pair:
        return Secrecy.MINTED
    is_masked = any(_MASKED.fullmatch(text) and depth == 0 for text, depth in members)
    return Secrecy.KEPT if secret_at <= 1 or is_masked else found


def _members(
    name: str, shapes: Mapping[str, Any], depth: int, seen: frozenset[str]
) -> Iterator[tuple[str, int]]:
    shape = shapes[name]
    if shape["type"] == "list":
        yield from _members(shape["member"]["shape"], shapes, depth, seen)
    if shape["type"] != "structure" or name in seen:
        return
    for member, value in shape["members"].items():
        if shapes[value["shape"]]["type"] in ("string", "blob"):
            yield member.lower(), depth
        elif depth < _NAMES_DEPTH:
            yield from _members(value["shape"], shapes, depth + 1, seen | {name})
