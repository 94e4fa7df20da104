"""Targets of what stands inside a request: paths, forms, JSON, multipart, XML, CBOR, GraphQL.

Each is read by ours and, where it is taken, by at least one other reader that servers use; both
must have understood the same. We may refuse more.
"""

from __future__ import annotations

import email
import email.policy
import functools
import io
import json
import posixpath
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote
from xml.etree.ElementTree import Element

import botocore.parsers
import defusedxml.ElementTree
import graphql
import orjson

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.expand.graphql_document import parse_document
from gateway.canonicalize.expand.graphql_tokens import TOKENS_MAX, GraphqlSyntaxError
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText, parse_form, parse_json, parse_xml
from gateway.canonicalize.request.cbor import parse_cbor
from gateway.canonicalize.request.multipart import form_of_parts, parse_multipart
from gateway.canonicalize.request.normalize import split_target
from gateway.canonicalize.request.pairs import parse_pairs
from gateway.content import mappers_dir
from gateway.model.exchange import Authority, HttpRequest
from tests.fuzz.target import Target, same

# --- paths ----------------------------------------------------------------------------------------


def check_path(data: bytes) -> None:
    """A path that is taken has the same segments to servers that decode twice, fold, resolve dots,
    merge slashes, turn backslashes, or cut parameters off."""
    try:
        segments, query = split_target(data)
    except AmbiguityError:
        return
    raw = data.partition(b"?")[0].decode("ascii")
    once = unquote(raw)
    same(segments, once.split("/")[1:], "a server that decodes before it splits")
    same(once, unquote(once), "a server that decodes twice")
    folded = unicodedata.normalize("NFKC", once)
    for name, other in {
        "a server that resolves dots": posixpath.normpath(once) + "/" * once.endswith("/"),
        "a server that resolves dots behind folding": (
            posixpath.normpath(folded) + "/" * folded.endswith("/")
        ),
        "a server that turns backslashes": once.replace("\\", "/"),
        "a server that cuts parameters off": re.sub(r";[^/]*", "", once),
        "a C library": once.partition("\x00")[0],
    }.items():
        if once != "/":
            same(len(segments), len(other.split("/")[1:]), name)
    assert query.isascii()


PATHS = (
    b"/v1/charges/ch_1?expand[]=a", b"/repos/o/r/issues/1", b"/a%20b/c%2Bd", b"/a/%C3%A9?x",
    b"/v1/orders/%2e%2e/refund", b"//a", b"/a;b=c/d", b"/a%252fb",
    "/ａ%EF%BC%8F".encode(), b"/",  # noqa: RUF001
)  # fmt: skip
PATH_WORDS = (
    b"%2e", b"%2f", b"%5c", b"%00", b"%25", b"%c0%ae", b"%EF%BC%8F", b"%EF%BC%8E", b"%E2%80%A8",
    b"%e2%81%84", b"..", b"./", b"//", b";", b"?", b"#", b"\\", b"%u002f", b"%zz", b"%", b"+",
    b"/a",
    b"%0d%0a", b"\x7f", b"\xff", b"%ef%bb%bf",
)  # fmt: skip


# --- forms ----------------------------------------------------------------------------------------


def check_form(data: bytes) -> None:
    """A form that is taken has the same pairs to the standard library."""
    try:
        found = parse_form(data).values
        found_in_query = parse_pairs(data.decode("ascii"), ambiguity.QUERY).values
    except AmbiguityError:
        return
    same(found, found_in_query, "the query's reader")
    theirs: dict[str, str | list[str]] = {}
    for key, value in parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="strict"):
        earlier = theirs.get(key)
        if earlier is None:
            theirs[key] = value
        else:
            theirs[key] = [*([earlier] if isinstance(earlier, str) else earlier), value]
    same(found, theirs, "urllib")


FORMS = (
    b"amount=9000&charge=ch_1", b"items[0][price]=a&items[1][price]=b", b"a=1&a=2", b"a[]=1&a[]=2",
    b"Action=DeleteUser&UserName=bob&Version=2010-05-08", b"a%5B%5D=1", b"text=a+b%20c", b"=&&a",
)  # fmt: skip
FORM_WORDS = (
    b"&", b"=", b"%26", b"%3D", b"+", b"%20", b";", b"[", b"]", b"%5b", b"_method=DELETE", b"a=1",
    b"%00", b"%", b"\xff", b"%ff", b"%C3%A9", b".", b" ", b"\n",
)  # fmt: skip


# --- JSON -----------------------------------------------------------------------------------------


def check_json(data: bytes) -> None:
    """JSON that is taken has the same values to the standard library and to orjson."""
    try:
        found = parse_json(data)
    except AmbiguityError:
        return
    plain = _plain(found)
    same(plain, _rounded(json.loads(data)), "the standard library")
    same(plain, _rounded(orjson.loads(data)), "orjson")


def _plain(value: object) -> object:
    """Our values as other readers give them: decimals as floats."""
    if isinstance(value, DecimalText):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


JSONS = (
    b'{"amount":9000,"currency":"usd","nested":{"a":[1,2.5,true,null]}}',
    b'[{"a":"\\u00e9\\ud83d\\ude00"},-1e5]', b'{"a":1,"\\u0061":2}', b'"x"', b"[[[[]]]]",
    b'{"limit":9007199254740992}', b'{"a":1}{"b":2}', b"\xef\xbb\xbf{}", b'{"a":-0,"b":-0.0}',
)  # fmt: skip
JSON_WORDS = (
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u0061", b"\\ud800", b"\\", b"1e400", b"NaN",
    b"-Infinity", b"-", b"0", b".", b"e", b"/*", b"//", b"\x00", b"\xef\xbb\xbf", b"\xff", b"true",
    b"null", b"9007199254740993", b"\x0b", b"\xe2\x80\xa8", b'"a":1,', b"'", b"+1", b"01",
)  # fmt: skip


# --- multipart ------------------------------------------------------------------------------------

_TYPE = b"multipart/form-data; boundary=b"


def check_multipart(data: bytes) -> None:
    """A form that is taken has the same fields to Python's mail parser."""
    try:
        found = form_of_parts(parse_multipart(data, _TYPE)).values
    except AmbiguityError:
        return
    whole = b"Content-Type: " + _TYPE + b"\r\n\r\n" + data
    message = email.message_from_bytes(whole, policy=email.policy.HTTP)
    theirs: dict[str, list[bytes]] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_param("filename", header="content-disposition") is None:
            payload = part.get_payload(decode=True)
            theirs.setdefault(str(name), []).append(payload if isinstance(payload, bytes) else b"")
    ours = {key: [v.encode() for v in _as_list(value)] for key, value in found.items()}
    if all(key.isascii() and not set(key) & set("\\*") for key in (*ours, *theirs)):
        same(ours, theirs, "the mail parser")


def _as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


_PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
MULTIPARTS = (
    _PART + b"--b--\r\n",
    _PART + b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nfile\r\n--b--",
    _PART + _PART + b"--b--\r\n",
    b"--b\nContent-Disposition: form-data; name=a\n\nx\n--b--\n",
)
MULTIPART_WORDS = (
    b"--b", b"--b--", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b'name="', b"; ", b"filename*=", b"--bb",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Type: text/plain; charset=utf-16\r\n",
    b" folded", b"\x00", b"\xff", b'"', b"\\", b"Content-Disposition: form-data; name=b\r\n", b"a",
)  # fmt: skip


# --- XML ------------------------------------------------------------------------------------------


def check_xml(data: bytes) -> None:
    """XML that is taken has the same elements and texts to another parser."""
    try:
        found = parse_xml(data)
    except AmbiguityError:
        return
    theirs = defusedxml.ElementTree.fromstring(data)
    same(_tree(found), _tree(theirs), "defusedxml")


def _tree(element: Element) -> object:
    text = "" if len(element) else element.text or ""
    return element.tag.rpartition("}")[2], text, [_tree(child) for child in element]


XMLS = (
    b"<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>",
    b'<?xml version="1.0" encoding="UTF-8"?><a xmlns="x"><b c="d">e&amp;f</b></a>',
    b"<a><![CDATA[<b>x</b>]]></a>", b"<a><b/><!-- c --><b>x<!-- d -->y</b></a>",
    b"<x:a xmlns:x='y'/>",
)  # fmt: skip
XML_WORDS = (
    b"<a>", b"</a>", b"<b/>", b"<!DOCTYPE a>", b"<!ENTITY x 'y'>", b"&x;", b"&#0;", b"&#65;",
    b"<![CDATA[",
    b"]]>", b"<!--", b"-->", b"<?x y?>", b"xmlns='u'", b"\x00", b"\xff\xfe", b"encoding='utf-16'",
    b"&lt;",
)  # fmt: skip


# --- CBOR -----------------------------------------------------------------------------------------


def check_cbor(data: bytes) -> None:
    """CBOR that is taken has the same keys and plain values to the AWS SDK's reader."""
    try:
        found = parse_cbor(data)
    except AmbiguityError:
        return
    try:
        theirs = _sdk_reader().parse_data_item(_stream(data))
    except (botocore.parsers.ResponseParserError, ValueError, RuntimeError, OverflowError):
        return  # it knows fewer tags, simple values and times
    same(_shape(found), _shape(theirs), "botocore")


@functools.cache
def _sdk_reader() -> botocore.parsers.BaseCBORParser:
    return botocore.parsers.BaseCBORParser()


def _stream(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


def _shape(value: object) -> object:
    """Keys, texts and integers; times, floats and bytes are not compared."""
    if isinstance(value, Mapping):
        shapes = {key: _shape(one) for key, one in value.items()}
        return {key: one for key, one in shapes.items() if one is not None}  # it drops nulls
    if isinstance(value, list):
        return [_shape(one) for one in value]
    if isinstance(value, DecimalText) or not isinstance(value, str | int):
        return None
    return value


CBORS = (
    b"\xa1\x61a\x01", b"\xbf\x61a\x9f\x01\x02\xff\xff", b"\x82\x20\x19\x01\x00",
    b"\xa1\x61t\xc1\x1a\x60\x00\x00\x00",
    b"\x7f\x61a\x61b\xff", b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00", b"\xa2\x61a\x01\x61a\x02",
    b"\x43abc",
)  # fmt: skip
CBOR_WORDS = (
    b"\xff", b"\xbf", b"\x9f", b"\x7f", b"\x5f", b"\xa1", b"\x61a", b"\xc1", b"\xf6", b"\xf5",
    b"\x1b",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xdb", b"\xf9\x7e\x00", b"\x18\x01", b"\xc0",
    b"\x80",
)  # fmt: skip


# --- GraphQL --------------------------------------------------------------------------------------


def check_graphql(data: bytes) -> None:
    """A document that is taken is one to the reference implementation, with the same operations."""
    text = data.decode("utf-8", "replace")
    try:
        found = parse_document(text, TOKENS_MAX)
    except (GraphqlSyntaxError, AmbiguityError):
        return
    try:
        theirs = graphql.parse(text, max_tokens=None)
    except graphql.GraphQLSyntaxError as error:
        raise AssertionError(f"graphql-core refuses it: {error}") from error
    operations = [
        (node.operation.value, node.name.value if node.name else "")
        for node in theirs.definitions
        if isinstance(node, graphql.OperationDefinitionNode)
    ]
    same([(one.type, one.name) for one in found.operations], operations, "graphql-core")


GRAPHQLS = (
    b"query Q($a: Int = 1) { user(id: $a) { name ...F } } fragment F on User { id }",
    b"mutation { a: deleteUser(id: \"1\") { ok } b: deleteUser(id: 2) { ok } }",
    b"{ a ... on B { c @include(if: true) } }",
    b'subscription S { x(y: """block""", z: [1, {a: $b}]) }',
)  # fmt: skip
GRAPHQL_WORDS = (
    b"query", b"mutation", b"{", b"}", b"(", b")", b"...", b"on", b"@skip(if: true)", b"#", b"\n",
    b'"',
    b'"""', b"\\u0061", b"$a", b":", b"!", b"[", b"]", b"fragment F on U { a }", b",",
    b"\xef\xbb\xbf", b"&", b"|",
)  # fmt: skip


# --- whole requests -------------------------------------------------------------------------------

_MEDIA = (b"application/json", b"application/x-www-form-urlencoded", b"", b"text/plain")
_HOSTS = ("api.stripe.com", "slack.com", "api.github.com", "a.snowflakecomputing.com")


@functools.cache
def _canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def check_request(data: bytes) -> None:
    """Any bytes as target and body, to any host, are actions or a refusal: never both, never
    neither, never a fault."""
    target, _, body = data.partition(b"\n")
    for host in _HOSTS:
        for media in _MEDIA:
            headers = ((b"Content-Type", media),) if media else ()
            request = HttpRequest(
                "POST", "https", Authority(host, 443), target, headers,
                {name.lower(): value for name, value in headers}, frozenset(), body, len(body),
            )  # fmt: skip
            canonical = _canonicalizer().canonicalize(request)
            assert bool(canonical.actions) != bool(canonical.refused), canonical


REQUESTS = (
    b"/v1/refunds\ncharge=ch_1&amount=9000",
    b"/api/chat.postMessage\n{\"channel\":\"C1\",\"text\":\"x\"}",
    b"/graphql\n{\"query\":\"mutation { deleteIssue(input: {id: 1}) { ok } }\"}",
    b"/api/v2/statements\n{\"statement\":\"select 1; drop table t\"}",
    b"/repos/o/r?_method=DELETE\n",
)  # fmt: skip
REQUEST_WORDS = (*FORM_WORDS, *JSON_WORDS, *PATH_WORDS, b"\n", b"query", b"statement", b"mutation")


TARGETS = (
    Target("path", "segments are the same to all servers", check_path, PATHS, PATH_WORDS),
    Target("form", "pairs are urllib's", check_form, FORMS, FORM_WORDS),
    Target("json", "values are the standard library's and orjson's", check_json, JSONS, JSON_WORDS),
    Target(
        "multipart", "fields are the mail parser's", check_multipart, MULTIPARTS, MULTIPART_WORDS
    ),
    Target("xml", "elements are defusedxml's", check_xml, XMLS, XML_WORDS),
    Target("cbor", "values are botocore's", check_cbor, CBORS, CBOR_WORDS),
    Target("graphql", "operations are graphql-core's", check_graphql, GRAPHQLS, GRAPHQL_WORDS),
    Target("request", "actions or a refusal", check_request, REQUESTS, REQUEST_WORDS),
)
