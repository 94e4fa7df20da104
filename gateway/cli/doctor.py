"""`checkrein doctor`: which runtimes at hand are governed by the variables, and why not.

Each runtime really makes a call, with the very environment that `checkrein run` gives, to a proxy
inside this command that uses the gateway's CA. What it finds out is "uses the proxy" and "trusts
the CA"; that the running gateway lets the agent in is asked of the gateway itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.options import data_dir_option, json_option
from gateway.model.dataclass import dataclass

if TYPE_CHECKING:
    from gateway.cli.datadir import DataDir, Running
    from gateway.cli.doctor_proxy import DoctorProxy
    from gateway.cli.output import Output
    from gateway.cli.runtimes import Runtime
    from gateway.intercept.certificates import CertificateAuthority

LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result. `is_good` is None where nothing was tried."""

    name: str
    is_good: bool | None
    wrong: str = ""
    advice: str = ""


@click.command(
    epilog="""\b
Examples:
  checkrein doctor                            this machine
  checkrein doctor --python .venv/bin/python  that environment's libraries
"""
)
@click.option(
    "--python",
    type=click.Path(exists=True, dir_okay=False),
    help="The Python whose libraries are tried. [default: python3 on PATH]",
)
@data_dir_option
@json_option
def doctor(python: str | None, data_dir_path: Path | None, json_wanted: bool) -> int:
    """Find out which runtimes are governed, and why not.

    Tries every runtime at hand with the variables of `checkrein run`, and knocks at the running
    gateway. No byte leaves the machine. Exit status 1 when something at hand is not governed.
    """
    from gateway.cli.datadir import load_running, open_data_dir
    from gateway.cli.output import Output

    out = Output(json_wanted=json_wanted)
    data_dir = open_data_dir(data_dir_path)
    running = load_running(data_dir)
    findings = [_gateway_finding(data_dir, running), _shell_finding(running)]
    if running is not None:
        findings.append(_ca_finding(running))
    findings += _egress_findings()
    if not out.as_json:
        out.say("Trying every runtime at hand; a few seconds ...", "dim")
    findings += try_runtimes(data_dir, python)
    _show(out, findings)
    return 1 if any(finding.is_good is False for finding in findings) else 0


def try_runtimes(data_dir: DataDir, python: str | None) -> list[Finding]:
    """Let every runtime at hand make its call, all at the same time."""
    from gateway.cli.datadir import DataDir
    from gateway.cli.doctor_proxy import DoctorProxy
    from gateway.cli.environment import governed_environment
    from gateway.cli.runtimes import NOT_TRIED, RUNTIMES
    from gateway.cli.trust import write_client_dir

    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="checkrein-doctor-")))
        authority = _authority(data_dir, folder)
        bundle = folder / "bundle.pem"
        authority.write_bundle(bundle)
        proxy = ending.enter_context(DoctorProxy(authority))
        wiring = write_client_dir(
            DataDir(folder), proxy.url, str(authority.ca_pem_file), str(bundle)
        )
        environment = governed_environment(wiring, os.environ)
        trials = []
        for number, runtime in enumerate(RUNTIMES):
            program = _program(runtime, python)
            if program is not None:
                trial = _Trial(runtime, program, number, environment, folder)
                ending.callback(trial.end)
                trials.append(trial)
        findings = [trial.finish(proxy) for trial in trials]
    found = [finding for finding in findings if finding is not None]
    return found + [
        Finding(name, None, "not tried", why) for name, why in NOT_TRIED.items() if _at_hand(name)
    ]


class _Trial:
    """One runtime's call, under way."""

    def __init__(
        self, runtime: Runtime, program: str, number: int, env: dict[str, str], folder: Path
    ) -> None:
        from gateway.cli.probe import PROBE_HOST
        from gateway.cli.processes import bound_to_us

        self._runtime = runtime
        self._host = f"r{number}.{PROBE_HOST}"
        words = [word.replace("@URL", f"https://{self._host}") for word in runtime.arguments]
        if runtime.source_name:
            source = folder / runtime.source_name
            source.write_text(words.pop())
            words = [str(source) if word == "SOURCE" else word for word in words]
        self._deadline = time.monotonic() + runtime.seconds_max
        self._process = subprocess.Popen(
            [program, *words],
            env=env | {"GIT_TERMINAL_PROMPT": "0"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=bound_to_us(),  # noqa: PLW1509 - the proxy's thread holds no lock of ours
        )

    def finish(self, proxy: DoctorProxy) -> Finding | None:
        """Wait for the call; None when the library isn't there."""
        from gateway.cli.doctor_proxy import Progress
        from gateway.cli.runtimes import ABSENT_STATUS, advice_for

        while self._process.poll() is None and time.monotonic() < self._deadline:
            if proxy.progress(self._host) is Progress.GOVERNED:
                break
            time.sleep(LOOK_SECONDS)
        progress = proxy.progress(self._host)
        if progress is Progress.GOVERNED:
            return Finding(self._runtime.name, True)
        if self._process.poll() == ABSENT_STATUS:
            return None
        wrong = {
            Progress.NEVER_CAME: "it does not use the proxy",
            Progress.WITHOUT_CREDENTIALS: "it reaches the proxy, but sends no credentials",
            Progress.WITHOUT_TRUST: f"it does not trust the CA ({proxy.fault_of(self._host)})",
        }[progress]
        return Finding(self._runtime.name, False, wrong, advice_for(self._runtime, progress))

    def end(self) -> None:
        """Leave no process behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _program(runtime: Runtime, python: str | None) -> str | None:
    if runtime.program == "python3" and python is not None:
        return str(Path(python).absolute())
    return shutil.which(runtime.program)


def _at_hand(name: str) -> bool:
    return shutil.which(name) is not None


def _authority(data_dir: DataDir, folder: Path) -> CertificateAuthority:
    """The installation's own CA where there is one that we may read; else one for this once."""
    from gateway.intercept.certificates import CertificateAuthority

    own = data_dir.path / "ca"
    is_there = os.access(own / "ca.key", os.R_OK) and os.access(own / "ca.pem", os.R_OK)
    return CertificateAuthority.load_or_make(own if is_there else folder / "ca")


def _gateway_finding(data_dir: DataDir, running: Running | None) -> Finding:
    from gateway.cli.probe import probe_proxy

    if running is None:
        wrong = f"no `checkrein up` runs on {data_dir.path}"
        return Finding("gateway", False, wrong, "start it, or name its directory with --data-dir")
    probe = probe_proxy(running.proxy_url)
    if probe.is_let_in:
        return Finding("gateway", True)
    if probe.status == 407:
        advice = "the agent's key has changed: restart `checkrein up`"
        return Finding("gateway", False, "it does not know the agent's key", advice)
    wrong = probe.fault or f"it answered with status {probe.status}"
    return Finding("gateway", False, wrong, f"look into {data_dir.logs}/gateway.log")


def _shell_finding(running: Running | None) -> Finding:
    if running is None:
        return Finding("this shell", None, "no gateway to be governed by")
    here = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
    if here.rpartition("@")[2] == running.proxy_url.rpartition("@")[2]:
        return Finding("this shell", True)
    what = "its proxy is another" if here else "its variables are not set"
    return Finding("this shell", None, what, 'set them with eval "$(checkrein env)", if you like')


def _ca_finding(running: Running) -> Finding:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(Path(running.ca_file).read_bytes())
    except OSError as error:
        wrong = f"{running.ca_file} can't be read: {(error.strerror or '').lower()}"
        return Finding("CA", False, wrong, "run as the user who started `checkrein up`")
    except ValueError:
        advice = "remove the folder ca in the data directory; a new CA is made at the next start"
        return Finding("CA", False, f"{running.ca_file} is no certificate", advice)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        return Finding("CA", False, "it has expired", "remove the folder ca in the data directory")
    return Finding("CA", True)


def _egress_findings() -> list[Finding]:
    """What stands in the way of a program that ignores proxy variables."""
    from gateway.cli.doctor_egress import ways_out, why_not_isolated

    routes = " and ".join(ways_out())
    wrong = f"there is a route out of here ({routes})"
    advice = "use `checkrein run --isolate`, or the rules of `checkrein env --format nftables`"
    past = Finding("ways past the gateway", None, wrong, advice)
    if not routes:
        past = Finding("ways past the gateway", True)
    why_not = why_not_isolated()
    return [past, Finding("run --isolate", None if why_not else True, why_not)]


def _show(out: Output, findings: list[Finding]) -> None:
    from gateway.cli.output import Column

    if out.as_json:
        out.emit(
            {
                "findings": [
                    {"name": f.name, "governed": f.is_good, "wrong": f.wrong, "advice": f.advice}
                    for f in findings
                ]
            }
        )
        return
    words = {True: "yes", False: "no", None: "-"}
    out.table(
        (
            Column("WHAT", is_fixed=True),
            Column("GOVERNED", {"yes": "green", "no": "red"}, is_fixed=True),
            Column("WHAT IS WRONG"),
            Column("WHAT TO DO"),
        ),
        ((f.name, words[f.is_good], f.wrong, f.advice) for f in findings),
    )
