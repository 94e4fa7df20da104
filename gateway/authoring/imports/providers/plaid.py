"""Plaid, from the sources of its JavaScript client.

Everything is a POST, so the last word of the path is all that tells a question from an act; what
moves money or mints tokens is said here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "plaid"
SOURCES = (
    Source(
        "npm",
        "plaid",
        "47.0.0",
        "MIT",
        "f0cad7b790bde4108e36ad5374de32f56935cfb52901a6a5cbe5bbc4703d6efe",
    ),
)
HOSTS = ("production.plaid.com", "development.plaid.com", "sandbox.plaid.com")
_CALL = re.compile(
    r"^        (\w+): async \((\w+)?:? ?(\w+)?.*?localVarPath = `([^`]+)`.*?method: '([A-Z]+)'",
    re.MULTILINE | re.DOTALL,
)
_MEMBER = re.compile(r"^    '(\w+)'(\??): (string|number|boolean|Array<string>);", re.MULTILINE)
_TYPES = {"string": "text", "number": "text", "boolean": "boolean", "Array<string>": "list"}
_FINAL = frozenset(
    {
        "itemRemove", "paymentInitiationConsentPaymentExecute", "paymentInitiationPaymentCreate",
        "paymentInitiationPaymentReverse", "transferCreate", "transferLedgerDeposit",
        "transferLedgerDistribute", "transferLedgerWithdraw", "transferRecurringCreate",
        "transferRefundCreate", "userRemove", "walletTransactionExecute", "bankTransferCreate",
        "processorBankTransferCreate", "itemAccessTokenInvalidate",
    }
)  # fmt: skip
"""Money out, and links to a bank that only the end user can make again."""
_CREDENTIALS = frozenset(
    {
        "itemAccessTokenInvalidate", "itemPublicTokenExchange", "linkTokenCreate", "oauthToken",
        "processorTokenCreate",
    }
)  # fmt: skip
_KINDS = {
    "assetReportFilter": Kind.EXECUTE,
    "authVerify": Kind.READ,
    "bankTransferEventSync": Kind.READ,
    "beaconUserCreate": Kind.CREATE,
    "beaconUserReview": Kind.UPDATE,
    "beaconUserUpdate": Kind.UPDATE,
    "betaIssuesV1Match": Kind.READ,
    "creditPayrollIncomePrecheck": Kind.EXECUTE,
    "fdxNotifications": Kind.SEND,
    "identityMatch": Kind.READ,
    "incomeVerificationDocumentsDownload": Kind.READ,
    "incomeVerificationPrecheck": Kind.EXECUTE,
    "oauthIntrospect": Kind.READ,
    "processorIdentityMatch": Kind.READ,
    "processorSignalDecisionReport": Kind.CREATE,
    "processorSignalPrepare": Kind.EXECUTE,
    "processorSignalReturnReport": Kind.CREATE,
    "processorTransactionsSync": Kind.READ,
    "sandboxBankIncomeFireWebhook": Kind.EXECUTE,
    "sandboxBankTransferFireWebhook": Kind.EXECUTE,
    "sandboxFdxConsentSeed": Kind.CREATE,
    "sandboxIncomeFireWebhook": Kind.EXECUTE,
    "sandboxItemApplicationSeed": Kind.CREATE,
    "sandboxItemFireWebhook": Kind.EXECUTE,
    "sandboxTransferFireWebhook": Kind.EXECUTE,
    "sandboxTransferTestClockAdvance": Kind.EXECUTE,
    "sandboxUserFireWebhook": Kind.EXECUTE,
    "signalDecisionReport": Kind.CREATE,
    "signalPrepare": Kind.EXECUTE,
    "signalReturnReport": Kind.CREATE,
    "signalSchedule": Kind.UPDATE,
    "statementsDownload": Kind.READ,
    "transactionsEnhance": Kind.EXECUTE,
    "transactionsEnrich": Kind.EXECUTE,
    "transactionsSync": Kind.READ,
    "transferEventSync": Kind.READ,
    "transferLedgerDeposit": Kind.EXECUTE,
    "transferLedgerDistribute": Kind.EXECUTE,
    "transferLedgerWithdraw": Kind.EXECUTE,
    "transferReturnRecover": Kind.EXECUTE,
    "userCreate": Kind.CREATE,
    "userRemove": Kind.DELETE,
    "userUpdate": Kind.UPDATE,
}
"""What the last word of the path doesn't tell. Syncs only read; a ledger's words move money."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of Plaid."""
    source = (folders["plaid"] / "package" / "api.ts").read_text()
    rows: dict[str, Row] = {}
    for name, _, request, path, method in _CALL.findall(source):
        words = [word for part in path.split("/") for word in words_of(part)]
        fields = _fields(source, request)
        row = row_of(Described(name, method, path, _verb_first(words), fields=fields), _RULES)
        rows.setdefault(row.wire, row)
    return [NewSection("plaid", list(rows.values()), HOSTS)]


def _verb_first(words: list[str]) -> list[str]:
    return [words[-1], *words[:-1]]


def _fields(source: str, request: str) -> list[Field]:
    found = re.search(
        rf"^export interface {request} \{{\n(.*?)\n\}}", source, re.MULTILINE | re.DOTALL
    )
    if not request or found is None:
        return []
    return [
        Field(key, f"body.{key}", _TYPES[kind], not optional)
        for key, optional, kind in _MEMBER.findall(found.group(1))
        if key not in ("client_id", "secret", "access_token")
    ]


_RULES = RowRules(kinds=_KINDS, credentials=_CREDENTIALS, irreversible=_FINAL)
