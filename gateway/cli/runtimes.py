"""The runtimes that `doctor` tries: how each makes one HTTPS call, and what to do when it fails.

A table, and nothing runs here. `@URL` in a command stands for the address of the doctor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from gateway.cli.doctor_proxy import Progress
from gateway.model.dataclass import dataclass

ABSENT_STATUS = 77
"""With this exit status a probe says that the library isn't there."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One client. `program` is looked up on PATH, `arguments` follow it. `advice` is per stage at
    which it stopped. With `source_name` set, the last argument is written to a file so named."""

    name: str
    program: str
    arguments: tuple[str, ...]
    advice: Mapping[Progress, str] = field(default_factory=dict)
    source_name: str = ""
    seconds_max: float = 20.0


def _python(name: str, module: str, code: str, advice: Mapping[Progress, str]) -> Runtime:
    source = (
        f"try:\n    import {module}\nexcept ImportError:\n    raise SystemExit({ABSENT_STATUS})\n"
        + code
    )
    return Runtime(name, "python3", ("-c", source), advice)


_GENERAL: Mapping[Progress, str] = {
    Progress.NEVER_CAME: "it ignores proxy variables: give it the proxy in code, or run it with "
    "`checkrein run --isolate`",
    Progress.WITHOUT_CREDENTIALS: "it reads no credentials from the proxy URL: give them in code, "
    "or give its gateway one configured agent (CHECKREIN_CONFIGURED_AGENT)",
    Progress.WITHOUT_TRUST: "it brings certificates of its own: name the bundle in code (its path "
    "is in SSL_CERT_FILE)",
}

_HOOK = "the import hook was not loaded: keep PYTHONPATH, and run Python without -I, -E or -S"
_NODE = "Node reads proxy variables from 22.21 and 24 on: use such a Node, or an HTTP client with "
_NODE += "proxy support of its own, or `checkrein run --isolate`"
_NODE_HTTPS = "const end = (status) => () => process.exit(status);"
_NODE_HTTPS += "require('https').get('@URL', end(0)).on('error', end(1))"
_JAVA_AUTH = "Java sends proxy credentials only when the program registers an Authenticator: "
_JAVA_AUTH += "register one, or give its gateway one configured agent (CHECKREIN_CONFIGURED_AGENT)"

_JAVA_SOURCE = """\
public class Probe {
  public static void main(String[] words) throws Exception {
    var call = (java.net.HttpURLConnection) new java.net.URL(words[0]).openConnection();
    System.exit(call.getResponseCode() == 204 ? 0 : 1);
  }
}
"""

RUNTIMES: tuple[Runtime, ...] = (
    _python(
        "python urllib",
        "urllib.request",
        "urllib.request.urlopen('@URL', timeout=10)",
        {Progress.WITHOUT_TRUST: "SSL_CERT_FILE is not read: keep it in the program's environment"},
    ),
    _python("python requests", "requests", "requests.get('@URL', timeout=10)", {}),
    _python("python httpx", "httpx", "httpx.get('@URL', timeout=10)", {}),
    _python(
        "python aiohttp",
        "aiohttp, asyncio",
        "async def ask():\n"
        "    async with aiohttp.ClientSession() as session:\n"
        "        await session.get('@URL')\n"
        "asyncio.run(ask())",
        {Progress.NEVER_CAME: _HOOK + "; or say `trust_env=True` in code"},
    ),
    _python(
        "python urllib3",
        "urllib3",
        "urllib3.PoolManager(retries=False).request('GET', '@URL')",
        {
            Progress.NEVER_CAME: "bare urllib3 reads no proxy variables: use "
            "urllib3.ProxyManager, a client above it such as requests, or `checkrein run --isolate`"
        },
    ),
    _python(
        "python boto3",
        "boto3, botocore.config",
        "c = botocore.config.Config(retries={'max_attempts': 0})\n"
        "boto3.client('sts', endpoint_url='@URL', region_name='us-east-1', config=c,\n"
        "    aws_access_key_id='x', aws_secret_access_key='x').get_caller_identity()",
        {},
    ),
    _python(
        "python stripe",
        "stripe",
        "stripe.api_key, stripe.api_base, stripe.max_network_retries = 'sk_test', '@URL', 0\n"
        "stripe.Balance.retrieve()",
        {Progress.WITHOUT_TRUST: _HOOK},
    ),
    Runtime("curl", "curl", ("-sS", "-m", "10", "-o", "/dev/null", "@URL")),
    Runtime("git", "git", ("-c", "http.lowSpeedTime=10", "ls-remote", "@URL/probe.git")),
    Runtime(
        "node fetch",
        "node",
        ("-e", "fetch('@URL').then(() => process.exit(0), () => process.exit(1))"),
        {Progress.NEVER_CAME: _NODE},
    ),
    Runtime(
        "node https",
        "node",
        ("-e", _NODE_HTTPS),
        {Progress.NEVER_CAME: _NODE},
    ),
    Runtime(
        "java",
        "java",
        ("SOURCE", "@URL", _JAVA_SOURCE),
        {Progress.WITHOUT_CREDENTIALS: _JAVA_AUTH},
        source_name="Probe.java",
        seconds_max=40.0,
    ),
    Runtime("ruby", "ruby", ("-rnet/http", "-e", "Net::HTTP.get(URI('@URL'))")),
    Runtime("deno", "deno", ("eval", "await fetch('@URL')")),
    Runtime("php", "php", ("-r", "exit(curl_exec(curl_init('@URL')) === false ? 1 : 0);")),
)

NOT_TRIED: Mapping[str, str] = {
    "go": "a Go program would have to be compiled; Go's net/http reads HTTPS_PROXY and "
    "SSL_CERT_FILE",
}
"""Programs that are named when they are at hand, and why they aren't tried."""


def advice_for(runtime: Runtime, progress: Progress) -> str:
    """What to do about a runtime that came no further."""
    return runtime.advice.get(progress) or _GENERAL.get(progress, "")
