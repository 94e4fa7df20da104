"""D1-D10: where a request goes. One authority is decided, dialled, verified and written; a request
that names two, or a place that agents must not reach, is refused before anything is connected."""

from __future__ import annotations

import contextlib
import ssl
import struct

import pytest

from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Authority
from tests.end_to_end.attacks.conftest import HOST, Scene
from tests.end_to_end.attacks.payloads import BAD, END, GET, MISDIRECTED, REFUSED, Row
from tests.end_to_end.attacks.payloads import HOST as HOST_LINE
from tests.end_to_end.attacks.wicked import Wicked
from tests.support.raw_client import request


def _host(lines: bytes) -> bytes:
    return b"GET /v1/orders/o1 HTTP/1.1\r\n" + lines + END


INNER_HOST: dict[str, Row] = {
    "D2 another host inside the tunnel": (_host(b"Host: api.stripe.com\r\n"), MISDIRECTED),
    "D2 two hosts": (_host(HOST_LINE + b"Host: api.stripe.com\r\n"), MISDIRECTED),
    "D2 the same host twice": (_host(HOST_LINE + HOST_LINE), MISDIRECTED),
    "D2 no host": (_host(b"X-A: 1\r\n"), MISDIRECTED),
    "D2 an empty host": (_host(b"Host:\r\n"), MISDIRECTED),
    "D2 a user in the host": (_host(b"Host: a@warehouse.example.test\r\n"), MISDIRECTED),
    "D2 another port": (_host(b"Host: warehouse.example.test:8443\r\n"), MISDIRECTED),
    "D2 a list of hosts": (
        _host(b"Host: warehouse.example.test, api.stripe.com\r\n"),
        MISDIRECTED,
    ),
    "D2 a path in the host": (_host(b"Host: warehouse.example.test/x\r\n"), MISDIRECTED),
    "D3 another authority in the target": (
        b"GET https://api.stripe.com/v1/charges HTTP/1.1\r\n" + HOST_LINE + END,
        MISDIRECTED,
    ),
    "D3 the plain scheme inside TLS": (
        b"GET http://warehouse.example.test/v1/orders/o1 HTTP/1.1\r\n" + HOST_LINE + END,
        MISDIRECTED,
    ),
    "D3 an asterisk": (b"GET * HTTP/1.1\r\n" + HOST_LINE + END, REFUSED),
    "D3 CONNECT inside a tunnel": (
        b"CONNECT api.stripe.com:443 HTTP/1.1\r\nHost: api.stripe.com:443\r\n\r\n",
        frozenset({400, 403, 405, 421, 501}),
    ),
    "D3 a target that is no path": (b"GET v1/orders/o1 HTTP/1.1\r\n" + HOST_LINE + END, BAD),
}

AUTHORITIES: dict[str, bytes] = {
    "D4 another port": b"warehouse.example.test:22",
    "D4 port zero": b"warehouse.example.test:0",
    "D4 port 65536": b"warehouse.example.test:65536",
    "D4 letters after the port": b"warehouse.example.test:443abc",
    "D4 zeros before the port": b"warehouse.example.test:00443",
    "D4 an empty port": b"warehouse.example.test:",
    "D4 no port": b"warehouse.example.test",
    "D5 loopback": b"127.0.0.1:443",
    "D5 loopback as one number": b"2130706433:443",
    "D5 loopback in hexadecimal": b"0x7f.0.0.1:443",
    "D5 loopback in octal": b"0177.0.0.1:443",
    "D5 loopback in two parts": b"127.1:443",
    "D5 loopback of IPv6": b"[::1]:443",
    "D5 loopback of IPv4 in IPv6": b"[::ffff:127.0.0.1]:443",
    "D5 loopback with a zone": b"[fe80::1%25lo]:443",
    "D5 loopback in full-width digits": "１２７.0.0.1:443".encode(),  # noqa: RUF001
    "D5 an ideographic full stop": "127。0。0。1:443".encode(),
    "D6 localhost": b"localhost:443",
    "D6 a name below localhost": b"a.localhost:443",
    "D6 any address": b"0.0.0.0:443",
    "D6 the metadata service": b"169.254.169.254:80",
    "D6 the metadata service by name": b"metadata.google.internal:80",
    "D6 a private network": b"10.0.0.1:443",
    "D6 a carrier's network": b"100.64.0.1:443",
    "D6 NAT64 of loopback": b"[64:ff9b::7f00:1]:443",
    "D6 6to4 of loopback": b"[2002:7f00:1::]:443",
    "D6 a unique local address": b"[fd00::1]:443",
    "D6 multicast": b"224.0.0.1:443",
    "D10 an encoded dot": b"warehouse%2eexample.test:443",
    "D10 a name of 255 characters": b"a." * 128 + b":443",
    "D10 a label of 64 characters": b"a" * 64 + b".test:443",
    "D2 a user in the authority": b"a@warehouse.example.test:443",
    "D2 nothing": b":443",
}


AUTHORITIES |= {
    "D5 loopback in octal without dots": b"017700000001:443",
    "D5 an address with five parts": b"127.0.0.0.1:443",
    "D6 a name of the cluster": b"kubernetes.default.svc:443",
    "D6 Teredo": b"[2001:0:1::1]:443",
    "D6 broadcast": b"255.255.255.255:443",
    "D6 a link-local address": b"[fe80::1]:443",
    "D8 the Kubernetes API by its usual address": b"10.96.0.1:443",
    "D8 a kubelet": b"127.0.0.1:10250",
    "D8 cluster DNS": b"10.96.0.10:53",
    "D10 an encoded dot before the port": b"warehouse.example.test%2e:443",
    "D10 a name that folds to another": "ｗarehouse.example.test:443".encode(),  # noqa: RUF001
}


@pytest.mark.parametrize("row", INNER_HOST)
def test_two_destinations_are_refused(scene: Scene, row: str) -> None:
    """Inside a tunnel there is one authority, that of the CONNECT."""
    payload, statuses = INNER_HOST[row]
    scene.refuse(payload, statuses)


@pytest.mark.parametrize("row", AUTHORITIES)
def test_bad_destination_gets_no_tunnel(scene: Scene, row: str) -> None:
    """CONNECT to such an authority is refused before any TLS."""
    scene.refuse_tunnel(AUTHORITIES[row])


TARGETS = {
    "D3 https on the plain port": f"https://{HOST}/v1/orders/o1",
    "D3 another scheme": f"ftp://{HOST}/x",
    "D3 no authority": "/v1/orders/o1",
    "D5 loopback in a target": "http://127.0.0.1/",
    "D5 loopback as a number": "http://2130706433/",
    "D6 localhost in a target": "http://localhost/",
    "D6 the metadata service in a target": "http://169.254.169.254/latest/meta-data/",
}


@pytest.mark.parametrize("row", TARGETS)
def test_bad_target_on_the_plain_port_is_refused(scene: Scene, row: str) -> None:
    """Absolute form to a forbidden place, in another scheme, or with no authority at all."""
    line = f"GET {TARGETS[row]} HTTP/1.1\r\nHost: {HOST}\r\n".encode()
    with scene.nothing_arrives():
        reply = scene.note(scene.raw.plain(line + scene.raw.credentials + b"\r\n"))

    assert reply.status in {400, 403, 421, 501}, reply


def test_d8_own_ports_get_no_tunnel(scene: Scene) -> None:
    """D8: the agent can't reach the control plane, the metrics or the proxy through the proxy."""
    ready = scene.gateway.process.ready
    ports = {
        scene.stack.control.url.rpartition(":")[2],
        ready["metrics_url"].split(":")[2].partition("/")[0],
        str(ready["proxy_port"]),
    }
    for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0"):
        for port in ports:
            scene.refuse_tunnel(f"{host}:{port}".encode())


# --- D1: the name in TLS --------------------------------------------------------------------------


@pytest.mark.parametrize("sni", ["api.stripe.com", ""], ids=["another name", "no name"])
def test_d1_tls_for_another_name_is_refused(scene: Scene, sni: str) -> None:
    """D1: the TLS server name must be the name of CONNECT."""
    with scene.nothing_arrives():
        try:
            with scene.raw.open_tls(HOST, sni, is_verified=False) as sock:
                sock.settimeout(3)
                sock.sendall(GET + END)
                answer = sock.recv(4096)
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            answer = b""

    assert b" 421 " in answer


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _name(name: bytes) -> bytes:
    return b"\0" + _vector(2, name)


def hello(*names: bytes, more: bytes = b"") -> bytes:
    """A ClientHello by hand, with any server names and further extensions."""
    extensions = struct.pack(">H", 0) + _vector(2, _vector(2, b"".join(map(_name, names))))
    extensions += more
    body = b"\x03\x03" + b"r" * 32 + _vector(1, b"") + _vector(2, b"\x13\x01") + b"\x01\x00"
    message = b"\x01" + _vector(3, body + _vector(2, extensions))
    return b"\x16\x03\x01" + _vector(2, message)


EXTENSION_AGAIN = struct.pack(">H", 0) + _vector(2, _vector(2, _name(b"api.stripe.com")))
HELLOS = {
    "D1 two names in one extension": hello(HOST.encode(), b"api.stripe.com"),
    "D1 two extensions of names": hello(HOST.encode(), more=EXTENSION_AGAIN),
    "D1 a name that is no text": hello(b"\xff\xfe"),
    "D1 a name with a NUL": hello(HOST.encode() + b"\0.stripe.com"),
}


@pytest.mark.parametrize("row", HELLOS)
def test_ambiguous_hello_is_refused(scene: Scene, row: str) -> None:
    """Nothing is answered that could be taken for a handshake with either name."""
    with scene.nothing_arrives(), scene.raw.open_tunnel(f"{HOST}:443".encode()) as sock:
        sock.settimeout(5)
        sock.sendall(HELLOS[row])
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = sock.recv(4096)

    assert not answer.startswith(b"\x16")


# --- D6, D7: what a name leads to -----------------------------------------------------------------

PRIVATE = {
    "D6 loopback": "127.0.0.1", "D6 RFC 1918": "192.168.1.1", "D6 carrier": "100.64.0.1",
    "D6 link-local": "169.254.1.1", "D6 this network": "0.1.2.3", "D6 multicast": "224.0.0.1",
    "D6 broadcast": "255.255.255.255", "D6 unique local": "fd00::1", "D6 link-local v6": "fe80::1",
    "D6 NAT64": "64:ff9b::a00:1", "D6 6to4": "2002:a00:1::", "D6 Teredo": "2001:0:1::1",
    "D6 mapped": "::ffff:10.0.0.1", "D6 documentation": "192.0.2.1", "D6 site-local": "fec0::1",
}  # fmt: skip
ANSWERS = {
    **{row: [address] for row, address in PRIVATE.items()},
    "D7 a public and a private address": ["93.184.216.34", "10.0.0.1"],
    "D7 a private address last of many": [*(f"93.184.216.{n}" for n in range(1, 40)), "10.0.0.1"],
}


@pytest.mark.parametrize("row", ANSWERS)
async def test_name_that_leads_inward_is_refused(row: str) -> None:
    """Every address of an answer is looked at; one that is not public refuses the name."""

    async def resolver(host: str, port: int) -> list[str]:
        return ANSWERS[row]

    guard = DestinationGuard(DestinationSettings(), set(), resolver)
    with pytest.raises(UpstreamError, match=r"destination\.forbidden"):
        await guard.resolve(Authority("rebound.example", 443))


async def test_d7_what_was_looked_at_is_dialled() -> None:
    """D7: a second answer is not asked for, so that it can't be another; addresses are dialled."""
    asked = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    guard = DestinationGuard(DestinationSettings(), set(), resolver)
    found = await guard.resolve(Authority("rebound.example", 443))

    assert found == [("93.184.216.34", 443)]
    with pytest.raises(UpstreamError, match=r"destination\.forbidden"):
        await guard.resolve(Authority("rebound.example", 443))


# --- D9, D10 --------------------------------------------------------------------------------------


def test_d9_a_redirect_is_not_followed(wicked: Wicked) -> None:
    """D9: where an upstream sends the agent is for the agent to ask, and is decided afresh."""
    answer = (
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    before = len(wicked.upstream.heads)
    reply = wicked.ask("a redirect", answer)

    assert reply.statuses == (302,)
    assert len(wicked.upstream.heads) == before + 1
    raw = wicked.raw
    following = b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: 169.254.169.254\r\n"
    assert raw.plain(following + raw.credentials + b"\r\n").status == 403


SPELLINGS = {
    "D10 upper case": "WAREHOUSE.Example.TEST",
    "D10 a final dot": "warehouse.example.test.",
    "D10 the port": "warehouse.example.test:443",
}


@pytest.mark.parametrize("row", SPELLINGS)
def test_spellings_of_a_host_are_one_host(scene: Scene, tag: str, row: str) -> None:
    """The decision is the same for all, and upstream is asked for the one name."""
    payload = request("GET", f"/v1/orders/{tag}").replace(HOST.encode(), SPELLINGS[row].encode())
    reply = scene.ask(payload)

    assert reply.status == 200
    (seen,) = scene.stack.oracle.about(tag)
    assert seen.host.lower().removesuffix(":443").rstrip(".") == HOST


def test_refusals_are_recorded_and_what_arrived_was_decided(scene: Scene) -> None:
    """After all rows of this file: each refusal has its record, and each arrival its intent."""
    scene.refuse_tunnel(b"localhost:443")
    scene.assert_recorded()
    scene.assert_understood()
    assert scene.gateway.metric("checkrein_gateway_bugs_total") == 0, scene.gateway.process.log
