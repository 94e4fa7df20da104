"""The bindings of the Gemini API's client -> rows under the names that discovery would give."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.imports.providers.gemini import method_id, sections
from gateway.model.action import Kind


@pytest.mark.parametrize(
    ("http_method", "path", "expected"),
    [
        ("GET", "models/*", "generativelanguage.models.get"),
        ("GET", "models", "generativelanguage.models.list"),
        ("POST", "corpora/*/documents", "generativelanguage.corpora.documents.create"),
        ("POST", "models/*:countTokens", "generativelanguage.models.countTokens"),
        ("POST", "corpora/*/documents/*/chunks:batchCreate",
         "generativelanguage.corpora.documents.chunks.batchCreate"),
        ("PATCH", "tunedModels/*", "generativelanguage.tunedModels.patch"),
        ("DELETE", "files/*", "generativelanguage.files.delete"),
    ],
)  # fmt: skip
def test_names(http_method: str, path: str, expected: str) -> None:
    """Collections, then the verb: custom, or that of the method."""
    assert method_id(http_method, path) == expected


def test_bindings_become_rows(tmp_path: Path) -> None:
    """One section a version; variables become the segments that they stand for."""
    folder = tmp_path / "google/ai/x_v1/services/x_service/transports"
    folder.mkdir(parents=True)
    (folder / "rest_base.py").write_text(
        "options = [\n"
        ' {"method": "post", "uri": "/v1/{model=models/*}:generateContent", "body": "*"},\n'
        ' {"method": "get", "uri": "/v1/{name=models/*}"},\n'
        ' {"method": "get", "uri": "/v1/{name=operations/**}"},\n'
        ' {"method": "delete", "uri": "/v2/{file.name=files/*}"},\n'
        "]\n"
    )

    found = sections({"google-ai-generativelanguage": tmp_path})

    assert {section.name: sorted(row.wire for row in section.rows) for section in found} == {
        "generativelanguage:v1": [
            "GET /v1/models/{model}",
            "GET /v1/operations/{operation+}",
            "POST /v1/models/{model}:generateContent",
        ],
        "generativelanguage:v2": ["DELETE /v2/files/{file}"],
    }
    kinds = {row.operation: row.kind for section in found for row in section.rows}
    assert kinds["generativelanguage.models.generateContent"] is Kind.EXECUTE
    assert kinds["generativelanguage.models.get"] is Kind.READ
