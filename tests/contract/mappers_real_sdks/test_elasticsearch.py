"""Elasticsearch's client, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import contextlib
import functools
from typing import Any
from unittest import mock

import pytest
from elastic_transport import ApiResponseMeta, BaseNode, HttpHeaders
from elastic_transport._node import NodeApiResponse
from elasticsearch import Elasticsearch

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.arguments import methods_of, required_arguments
from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, catalog_operations

SEARCHES = """
search msearch count search_template msearch_template search_mvt search_shards scroll rank_eval
terms_enum termvectors mtermvectors mget field_caps explain eql.search sql.query esql.query
fleet.search fleet.msearch graph.explore knn_search rollup.rollup_search search_application.search
security.query_api_keys security.query_role security.query_user security.suggest_user_profiles
watcher.query_watches open_point_in_time cat.count
"""
"""Queries; Elasticsearch's SQL and ES|QL have no statement that writes. A point in time is a
snapshot that a search reads from."""
QUESTIONS = """
security.has_privileges security.has_privileges_user_profile cluster.allocation_explain
indices.validate_query indices.analyze indices.resolve_index indices.resolve_cluster
render_search_template sql.translate query_rules.test text_structure.test_grok_pattern
text_structure.find_structure text_structure.find_message_structure
ml.estimate_model_memory ml.evaluate_data_frame ml.explain_data_frame_analytics
ml.preview_data_frame_analytics ml.preview_datafeed transform.preview_transform
"""
"""They compute an answer from what is asked, and store nothing."""
RESULTS = """
ml.get_buckets ml.get_calendars ml.get_categories ml.get_influencers ml.get_model_snapshots
ml.get_overall_buckets ml.get_records
"""
READS = frozenset((SEARCHES + QUESTIONS + RESULTS).split())
WITHOUT_A_REQUEST = frozenset({"close", "options", "perform_request"})
HOST = "c1.eu-west-1.aws.found.io"

sent: list[Sent] = []
calling = [""]


class KeepingNode(BaseNode):
    """Keeps what it is given, and answers with an empty object."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Any = None,
        request_timeout: Any = None,
    ) -> NodeApiResponse:
        kept = as_request(method, f"https://{HOST}{target}", headers or {}, body)
        sent.append(Sent(calling[0], kept))
        answer = HttpHeaders(
            {"x-elastic-product": "Elasticsearch", "content-type": "application/json"}
        )
        return NodeApiResponse(ApiResponseMeta(200, "1.1", answer, 0.0, self.config), b"{}")

    def close(self) -> None:
        pass


WARNED_SIMPLY = mock.patch("elasticsearch._sync.client.utils.warn_stacklevel", return_value=1)
"""Each method that isn't stable yet warns its caller, and to find him goes through all modules that
are imported: tens of thousands in a worker that has driven other SDKs."""


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    client = Elasticsearch(f"http://{HOST}:80", node_class=KeepingNode)
    sent.clear()
    for name, method in methods_of(client, _is_resource):
        if name.rpartition(".")[2] in WITHOUT_A_REQUEST:
            continue
        calling[0] = name
        # Made-up arguments can exclude one another.
        with contextlib.suppress(AttributeError, TypeError, ValueError, KeyError), WARNED_SIMPLY:
            method(**required_arguments(method))
    return judge(sent, READS)


def _is_resource(member: Any) -> bool:
    return type(member).__name__.endswith("Client") and "elasticsearch" in type(member).__module__


@pytest.mark.filterwarnings("ignore")
def test_each_call_has_its_own_name() -> None:
    """Every request is recognised; of the operations, few can't be called by made-up arguments."""
    found = figures()

    assert found.wrong == []
    assert len(found.methods & catalog_operations("elasticsearch")) >= 450


@pytest.mark.filterwarnings("ignore")
def test_nothing_in_the_whole_client_is_milder_than_it_is() -> None:
    """What isn't a GET is no read, but what is listed."""
    assert figures().mild == []


@pytest.mark.parametrize("spelling", ["_all", "*", "orders,invoices"])
def test_deleting_many_indices_is_a_deletion_of_what_is_named(spelling: str) -> None:
    """A pattern in the place of an index is the target as it is written."""
    (action,) = (
        canonicalizer()
        .canonicalize(as_request("DELETE", f"https://{HOST}/{spelling}", {}, None))
        .actions
    )

    assert (action.operation, action.kind, action.target.id, action.reversible) == (
        "indices.delete",
        Kind.DELETE,
        spelling,
        False,
    )
