"""Elasticsearch, from its Python client: one method an endpoint, with every path that it takes.

Operations are the endpoints' ids (`indices.delete`, `bulk`). A search is a POST here and a GET in
other clients, so what reads by POST has a row for GET as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, kind_of, row_of
from gateway.authoring.imports.sdk.python_source import template_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular
from gateway.model.action import Kind

PROVIDER = "elasticsearch"
SOURCES = (
    Source(
        "pypi",
        "elasticsearch",
        "9.5.1",
        "Apache-2.0",
        "a980d8888ae70c03f0a1db6b2c5e3e39bf4e235abea737f522d2fd1d2d20bb99",
    ),
)
HOSTS = ("*.es.io", "*.elastic-cloud.com", "*.elastic.cloud", "*.found.io")
_READS = (
    "search msearch count mget field_caps explain termvectors mtermvectors rank_eval scroll"
    " open_point_in_time search_template msearch_template render_search_template terms_enum"
    " knn_search search_mvt search_shards indices.validate_query indices.analyze eql.search"
    " cluster.allocation_explain security.has_privileges security.has_privileges_user_profile"
    " security.suggest_user_profiles fleet.search fleet.msearch graph.explore sql.translate"
    " security.query_api_keys security.query_role security.query_user"
    " text_structure.test_grok_pattern ml.explain_data_frame_analytics"
    " ml.get_buckets ml.get_records ml.get_influencers ml.get_categories ml.get_overall_buckets"
    " ml.get_model_snapshots esql.query sql.query indices.resolve_cluster"
    " ml.evaluate_data_frame ml.estimate_model_memory rollup.rollup_search query_rules.test"
    " indices.resolve_index watcher.query_watches"
)
JUDGEMENT = Judgement(
    kinds={
        "close_point_in_time": Kind.DELETE,
        "clear_scroll": Kind.DELETE,
        "bulk": Kind.UPDATE,
        "reindex": Kind.EXECUTE,
        "update_by_query": Kind.UPDATE,
        "delete_by_query": Kind.DELETE,
        "index": Kind.CREATE,
        "scripts_painless_execute": Kind.EXECUTE,
        "async_search.submit": Kind.EXECUTE,
        "indices.put_settings": Kind.UPDATE,
        "indices.open": Kind.UPDATE,
        "connector.sync_job_delete": Kind.DELETE,
        "indices.put_mapping": Kind.UPDATE,
        "cluster.put_settings": Kind.UPDATE,
        "esql.async_query": Kind.EXECUTE,
        "ml.infer_trained_model": Kind.EXECUTE,
    },
    reads=re.compile("^(?:" + "|".join(map(re.escape, _READS.split())) + ")$"),
    admin=re.compile(r"^(?:security|license|ssl)\.(?!has_|query_|suggest_|authenticate)"),
    executes=re.compile(
        r"^inference\.(?:\w*completion|embedding|inference|rerank|\w+_embedding)$|^simulate\."
        r"|\.(?:post|post_\w+|schedule_now_\w+)$"
    ),
    credentials=re.compile(
        r"^security\.(?:create_api_key|grant_api_key|create_cross_cluster_api_key|get_token"
        r"|create_service_token|enroll_\w+|activate_user_profile|oidc_authenticate"
        r"|saml_authenticate|clone_api_key|delegate_pki)$"
    ),
    irreversible=re.compile(r"^(?:delete_by_query|snapshot\.restore|indices\.rollover)$|\.reset_"),
    reversible=re.compile(r"^(?:clear_scroll|close_point_in_time)$"),
    actions={
        "indices.create": "create_index",
        "indices.delete": "delete_index",
        "index": "create_document",
        "create": "create_document",
        "update": "update_document",
        "delete": "delete_document",
        "get": "get_document",
        "search": "search_document",
        "bulk": "write_document",
        "security.create_api_key": "create_access_key",
        "security.invalidate_api_key": "delete_access_key",
        "security.put_user": "create_user",
        "security.delete_user": "delete_user",
        "security.put_role": "create_role",
        "security.delete_role": "delete_role",
        "snapshot.create": "create_snapshot",
        "sql.query": "query_database",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole client."""
    folder = folders["elasticsearch"] / "elasticsearch" / "_sync" / "client"
    found: dict[tuple[str, str], Call] = {}
    for path in sorted(folder.glob("*.py")):
        for call in _calls(path):
            for each in _methods(call):
                shape = shape_of(each.template)
                found.setdefault((each.method, shape), each)
    rows = [row_of(call, JUDGEMENT) for call in found.values()]
    return [NewSection("elasticsearch", rows, HOSTS)]


def _methods(call: Call) -> Iterator[Call]:
    yield call
    if call.method == "POST" and kind_of(call, JUDGEMENT) is Kind.READ:
        yield replace(call, method="GET")
    if call.method == "PUT" and call.operation in ("index", "create", "indices.put_mapping"):
        yield replace(call, method="POST")


def _calls(path: Path) -> Iterator[Call]:
    for owner in ast.parse(path.read_bytes()).body:
        for method in owner.body if isinstance(owner, ast.ClassDef) else ():
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                yield from _calls_of(method)


def _calls_of(method: ast.FunctionDef) -> Iterator[Call]:
    paths: list[str] = []
    verbs: list[str] = []
    name = ""
    for node in ast.walk(method):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variable = node.targets[0].id
            if variable == "__path":
                paths.append(template_of(node.value))
            elif variable == "__method" and isinstance(node.value, ast.Constant):
                verbs.append(str(node.value.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("perform_request"):
            given = {word.arg: word.value for word in node.keywords}
            endpoint = given.get("endpoint_id")
            if isinstance(endpoint, ast.Constant):
                name = str(endpoint.value)
            if node.args and isinstance(node.args[0], ast.Constant):
                verbs.append(str(node.args[0].value))
    for verb in verbs if name else ():
        for template in paths:
            yield Call(name, verb, template, words_for(name))


def words_for(name: str) -> tuple[str, ...]:
    """`indices.put_alias` -> put alias; `indices.delete` -> delete index."""
    group, _, last = name.rpartition(".")
    words = last.split("_")
    nouns = [singular(word) for word in group.split("_")] if group else ["document"]
    verb = "set" if words[0] == "put" else words[0]
    return (verb, *(words[1:] or nouns))
