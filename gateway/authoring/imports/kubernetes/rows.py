"""Turns the operations of the Kubernetes API into rows.

What `connect*` does is never a read, though most of it is sent by GET: it runs commands in pods and
sends requests into the cluster. Bodies of PATCH are not read (there are five kinds of them), nor
those of PUT but for a scale, so that a manifest in YAML is as good as one in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.authoring.imports.kubernetes.source import KubernetesCall
from gateway.authoring.imports.wires import shape_of, wire_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.naming.words import derived_action, singular, words_of
from gateway.model.action import Kind

_KINDS = {
    "get": Kind.READ, "read": Kind.READ, "list": Kind.READ, "watch": Kind.READ, "log": Kind.READ,
    "create": Kind.CREATE, "replace": Kind.UPDATE, "patch": Kind.UPDATE, "delete": Kind.DELETE,
    "connect": Kind.EXECUTE,
}  # fmt: skip
_ADMIN = frozenset(
    {
        "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount",
        "CertificateSigningRequest", "ClusterTrustBundle", "PodCertificateRequest",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
    }
)  # fmt: skip
"""Kinds that say who may do what, or what may be done at all."""
_REVIEWS = re.compile(r"Review$")
"""Kinds that are created to ask a question, and not kept."""
_VERBS = {"read": "get", "patch": "update", "connect": "connect", "log": "get"}
_CUSTOM = "custom_object"
_TAILS = ("exec", "attach", "portforward", "proxy")
_PARAMS = {
    "Service": {"type": RowParam("body.spec.type")},
    "Deployment": {"replicas": RowParam("body.spec.replicas", "integer")},
    "StatefulSet": {"replicas": RowParam("body.spec.replicas", "integer")},
    "ReplicaSet": {"replicas": RowParam("body.spec.replicas", "integer")},
    "RoleBinding": {"role": RowParam("body.roleRef.name")},
    "ClusterRoleBinding": {"role": RowParam("body.roleRef.name")},
    "Pod": {
        "host_network": RowParam("body.spec.hostNetwork", "boolean"),
        "service_account": RowParam("body.spec.serviceAccountName"),
    },
}
"""What is read from the body of what is created, beside its name."""
_QUERY = {
    "labelSelector": ("label_selector", "text"),
    "fieldSelector": ("field_selector", "text"),
    "command": ("command", "list"),
    "container": ("container", "text"),
    "ports": ("ports", "text"),
    "gracePeriodSeconds": ("grace_period_seconds", "integer"),
    "propagationPolicy": ("propagation_policy", "text"),
    "force": ("force", "boolean"),
}
"""What is read from the query of what isn't a read."""


def kubernetes_rows(calls: Iterable[KubernetesCall]) -> list[Row]:
    """All rows, and those of the older way to watch. Of two calls with one wire the first in the
    order of their names keeps it."""
    rows: dict[str, Row] = {}
    for call in sorted(calls, key=lambda one: one.operation):
        for row in (_row(call), *_watched(call)):
            rows.setdefault(shape_of(row.wire), row)
    return list(rows.values())


def _row(call: KubernetesCall) -> Row:
    wire, _ = wire_of(call.method, _greedy(call.path))
    kind = _kind(call)
    target_type, target_id = _target(call, wire)
    return Row(
        call.operation,
        wire,
        kind,
        _action(call),
        target_type,
        target_id,
        _params(call, wire, kind, target_id),
        reversible=not _is_final(call, kind),
        sensitive=_sensitivity(call, kind),
    )


def _greedy(path: str) -> str:
    return path.replace("{path}", "{path+}").replace("{logpath}", "{logpath+}")


def _kind(call: KubernetesCall) -> Kind:
    kind = _KINDS.get(call.act[0], Kind.UNKNOWN)
    if kind is Kind.READ or kind is Kind.EXECUTE:
        return kind
    if call.path.endswith("/token") or call.noun in _ADMIN:
        return Kind.ADMIN
    if call.path.endswith("/eviction"):
        return Kind.DELETE
    if _REVIEWS.search(call.noun):
        return Kind.EXECUTE
    return kind


def _is_final(call: KubernetesCall, kind: Kind) -> bool:
    return kind is Kind.DELETE or call.act[0] == "delete"


def _sensitivity(call: KubernetesCall, kind: Kind) -> str:
    shows = kind is Kind.READ and call.noun == "Secret"
    return "credentials" if shows or call.path.endswith("/token") else ""


def _action(call: KubernetesCall) -> str:
    """`get_pod`, `exec_pod`, `update_deployment_scale`, `delete_pod_collection`."""
    verb, *rest = call.act
    if verb == "connect":
        tail = next(tail for tail in _TAILS if f"/{tail}" in call.path)
        return derived_action(tail, [_noun(call).removesuffix(f"_{tail}")])
    if verb == "log":
        return derived_action("get", ["node", "log"])
    if call.group in ("Version", "WellKnown", "Openid"):
        return derived_action("get", words_of(call.operation)[1:])
    if not call.noun:
        words = [_CUSTOM if "custom" in rest else "", *_subresource(call)]
        nouns = [word for word in words if word] or words_of("_".join(rest))
    else:
        nouns = [_noun(call), *_subresource(call)]
    if "collection" in rest:
        nouns.append("collection")
    return derived_action(_VERBS.get(verb, verb), nouns)


def _noun(call: KubernetesCall) -> str:
    words = words_of(call.noun)
    return "_".join([*words[:-1], singular(words[-1])]) if words else _thing(call)


def _thing(call: KubernetesCall) -> str:
    """The last literal of a path in the singular, for what the specification names no kind of."""
    for tail in _TAILS:
        before = call.path.partition(f"/{{name}}/{tail}")[0]
        if before != call.path:
            return before.rpartition("/")[2].removesuffix("s")
    return "api"


def _subresource(call: KubernetesCall) -> list[str]:
    """`status`, `scale`, `log`: what stands behind the name, unless the noun says it already."""
    tail = call.path.partition("/{name}/")[2]
    return [] if not tail or "{" in tail or _noun(call).endswith(tail) else [tail]


def _target(call: KubernetesCall, wire: str) -> tuple[str, str]:
    """`namespace/name`, or the namespace of what is listed."""
    if "{plural}" in wire:
        parts = [p for p in ("group", "plural", "namespace", "name") if f"{{{p}}}" in wire]
        if call.act[0] == "create":
            parts.append("body.metadata.name")
        return _CUSTOM, "/".join(f"{{{p if '.' in p else f'path.{p}'}}}" for p in parts)
    noun = _noun(call)
    scope = "{path.namespace}/" if "{namespace}" in wire else ""
    if "{name}" in wire:
        kind = noun if call.act[0] != "connect" else _thing(call)
        # A subresource is no thing of its own: its target is what it belongs to.
        return _owner(call, kind), f"{scope}{{path.name}}" if scope else "path.name"
    if call.act[0] == "create" and not _REVIEWS.search(call.noun):
        return noun, f"{scope}{{body.metadata.name}}" if scope else "body.metadata.name"
    if scope:
        return "namespace", "path.namespace"
    return noun, ""


def _owner(call: KubernetesCall, kind: str) -> str:
    tail = call.path.partition("/{name}/")[2]
    if not tail or call.act[0] == "connect":
        return kind
    before = call.path.partition("/{name}/")[0].rpartition("/")[2]
    return kind.removesuffix(f"_{tail}") if kind.endswith(f"_{tail}") else _of_plural(before, kind)


def _of_plural(plural: str, kind: str) -> str:
    """`serviceaccounts/{name}/token` creates a token request, for a service account."""
    return kind if plural.startswith(kind.replace("_", "")) else _PLURALS.get(plural, kind)


_PLURALS = {"serviceaccounts": "service_account", "pods": "pod"}


def _params(call: KubernetesCall, wire: str, kind: Kind, target_id: str) -> dict[str, RowParam]:
    params: dict[str, RowParam] = {}
    for name in re.findall(r"\{(\w+)\+?\}", wire):
        if f"path.{name}" not in target_id:
            params[name] = RowParam(f"path.{name}")
    if kind is Kind.READ:
        return params
    for key in call.query:
        if key in _QUERY and key != "path":
            name, form = _QUERY[key]
            params[name] = RowParam(f"query.{key}", form)
    if call.act[0] == "create":
        params |= _PARAMS.get(call.noun, {}) if "/{name}/" not in call.path else {}
    if call.path.endswith("/{name}/scale"):
        params["replicas"] = RowParam("body.spec.replicas", "integer")
    return params


def _watched(call: KubernetesCall) -> Iterator[Row]:
    """The older way to watch what is listed or read: `/watch` behind the version."""
    if call.act[0] not in ("list", "read") or "/{name}/" in call.path or "custom" in call.act:
        return
    path = re.sub(r"^(/api/v1|/apis/[^/]+/[^/]+)/", r"\1/watch/", call.path)
    if path == call.path:
        return
    name = call.operation.removeprefix(call.act[0])
    if call.act[0] == "list":
        name = name.replace("ForAllNamespaces", "ListForAllNamespaces")
        name = name if "ListFor" in name else f"{name}List"
    watch = KubernetesCall(
        f"watch{name}", call.group, ("watch", *call.act[1:]), call.noun, "GET", path, ()
    )
    yield _row(watch)
