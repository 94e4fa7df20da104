"""`python -m tests.end_to_end.javascript_isolated`: JavaScript SDKs that know of no proxy.

Fetches the AWS and Stripe SDKs with npm into a folder of its own, runs them on the Node at hand
with `checkrein run --isolate`, and prints how each call ended and what the upstream saw. Ends with
status 1 when a promise was broken. Needs npm's registry, so it is no part of the suite.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support import providers
from tests.support.command import COMMAND, ROOT
from tests.support.oracle import Oracle
from tests.support.stack import MAPPERS, POLICIES, make_folder
from tests.support.upstream_files import make_upstream_files

PACKAGES = ("@aws-sdk/client-sts", "stripe")
SECONDS_MAX = 180.0

AGENT = """
import {STSClient, GetCallerIdentityCommand, AssumeRoleCommand} from '@aws-sdk/client-sts';
import Stripe from 'stripe';

const sts = new STSClient({region: 'us-east-1', maxAttempts: 1,
  credentials: {accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret'}});
const stripe = new Stripe('sk_test_51Checkrein', {maxNetworkRetries: 0});
const role = {RoleArn: 'arn:aws:iam::123456789012:role/admin', RoleSessionName: 'agent'};
const calls = {
  'fetch: read': () => fetch('https://api.stripe.com/v1/charges/ch_1',
    {headers: {authorization: 'Bearer sk_test_51Checkrein'}}).then(answer => answer.status),
  'AWS SDK: who am I': () => sts.send(new GetCallerIdentityCommand({})),
  'AWS SDK: take a role': () => sts.send(new AssumeRoleCommand(role)),
  'Stripe SDK: read': () => stripe.charges.retrieve('ch_2'),
  'Stripe SDK: pay out': () => stripe.payouts.create({amount: 100, currency: 'usd'}),
};
const ended = {};
for (const [name, call] of Object.entries(calls)) {
  ended[name] = await call().then(() => 'passed', error =>
    String(error.$metadata?.httpStatusCode ?? error.statusCode ?? error.cause?.code ?? error));
}
console.log(JSON.stringify(ended));
"""

EXPECTED = {
    "fetch: read": "passed",
    "AWS SDK: who am I": "passed",
    "AWS SDK: take a role": "428",  # it waits for a person
    "Stripe SDK: read": "passed",
    "Stripe SDK: pay out": "403",
}


def main() -> int:
    """Fetch, run, compare."""
    folder = make_folder("javascript")
    try:
        _fetch(folder)
        files = make_upstream_files(folder)
        with Oracle(files.certificate, files.key, providers.answer) as oracle:
            ended = _run(folder, files.ca, oracle.port)
            seen = [f"{understood.host}{understood.path}" for understood in oracle.requests]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("call", "ended", "expected", title=f"{_said_by('node', '--version')}, isolated")
    for name, how in EXPECTED.items():
        table.add_row(name, ended.get(name, "never"), how)
    console = Console()
    console.print(table)
    console.print("the upstream saw", seen)
    return 0 if ended == EXPECTED and len(seen) == list(EXPECTED.values()).count("passed") else 1


def _fetch(folder: Path) -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    subprocess.run(command, check=True, timeout=SECONDS_MAX, stdout=subprocess.DEVNULL)
    (folder / "agent.mjs").write_text(AGENT)


def _run(folder: Path, ca_file: Path, port: int) -> dict[str, str]:
    places = [f"--connect-to={host}:443:127.0.0.1:{port}" for host in providers.HOSTS]
    command = [
        *COMMAND, "run", "--isolate", "--data-dir", str(folder / "data"), "--upstream-ca",
        str(ca_file), "--policies", str(POLICIES), "--mappers", str(MAPPERS[1]), *places,
        "--", "node", "agent.mjs",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CHECKREIN_HOLD_SECONDS_MAX": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False, stdout=subprocess.PIPE,
        timeout=SECONDS_MAX,
    )  # fmt: skip
    ended: dict[str, str] = json.loads(done.stdout or "{}")
    return ended


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
