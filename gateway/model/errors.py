"""Faults: expected failures that are handled in one place and told to somebody.

An outcome (a BLOCK, an expired approval, no mapper) is a value and never raised. A bug is an
assertion. What remains is a `CheckreinError`: a stable dotted code, a sentence that is safe to
show, whether trying again can help, and the cause in `__cause__`. One class per different
handling; the code carries the detail.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model.dataclass import dataclass


class CheckreinError(Exception):
    """Base of all faults. `message` is lower-case, one sentence, no secret, safe to show."""

    code = "internal.fault"
    retryable = False

    def __init__(self, code: str, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file a person wrote, and what to do about it.

    `line` and `column` count from 1; 0 means that the problem is of the file as a whole.
    """

    file: str
    line: int
    column: int
    message: str
    help: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f" (help: {self.help})" if self.help else "")


class ConfigurationError(CheckreinError):
    """Settings, mappers or policies can't be used; carries every problem found, not the first."""

    def __init__(self, code: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__(code, "\n".join(str(problem) for problem in self.problems))


class BundleError(CheckreinError):
    """A bundle is not one that may be used: `bundle.signature`, `bundle.malformed` and others."""


class AgentProtocolError(CheckreinError):
    """The agent's bytes are not one well-formed request. The connection closes after the answer.

    `status` is the HTTP status of the answer (400, 408, 413, 421, 431, 501, 505).
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


class UpstreamError(CheckreinError):
    """The upstream could not be reached, trusted or understood.

    `sent` tells whether a byte of the request may have left: if so the outcome is unknown.
    """

    def __init__(self, code: str, message: str, *, sent: bool, status: int = 502) -> None:
        super().__init__(code, message, retryable=not sent)
        self.sent = sent
        self.status = status


class ApprovalError(CheckreinError):
    """An approval can't be asked for, awaited or consumed, so the action stays refused."""

    retryable = True


class LimitError(CheckreinError):
    """The counters of limits can't be asked, so nobody knows what is left."""

    retryable = True


class RecordError(CheckreinError):
    """What is about to happen can't be made durable, so it must not happen."""

    retryable = True


class ChainError(CheckreinError):
    """A recorded chain does not verify. `seq` names the first bad record."""

    def __init__(self, message: str, seq: int) -> None:
        super().__init__("chain.broken", message)
        self.seq = seq


class ControlPlaneError(CheckreinError):
    """The control plane can't be reached (`control.unreachable`), said no (`control.rejected`), or
    was not even asked, since too many ask (`control.busy`).

    `status` is its HTTP status, 0 when it was not reached.
    """

    retryable = True

    def __init__(self, code: str, message: str, *, status: int = 0) -> None:
        super().__init__(code, message)
        self.status = status
