"""Turns what an agent sent into what may be written down: no secrets, bounded, plain JSON. Pure.

Fields are of two classes. What a mapper declares is public unless the name of the field or the
shape of the value says otherwise. What nobody declared is a secret: names stay, and of the values
only those that can't be one (see `redact_undeclared`). A secret leaves a `mark`.
Everything that leaves here is text, integer, boolean, null, list or dict: never a float, never
text that is not valid Unicode. Control characters stay; canonical JSON escapes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from gateway.model.action import ParamValue
from gateway.model.codec import INTEGER_MAX, JsonValue
from gateway.model.dataclass import dataclass
from gateway.record.marks import REDACTED, REDACTED_SIGN, content_digest, mark

HIDDEN_VALUE: Final = "•"
"""Stands for the value of a query parameter."""


@dataclass(frozen=True, slots=True)
class RedactionLimits:
    """How much of what an agent sent is written down; more than a person reads helps nobody, and
    a record must stay small whatever the agent sends. `leaves_max` bounds one action's params."""

    text_chars_max: int = 512
    key_chars_max: int = 128
    path_chars_max: int = 1_024
    items_max: int = 32
    depth_max: int = 6
    leaves_max: int = 256


LIMITS: Final = RedactionLimits()

_SECRET_WORDS: Final = frozenset(
    {
        "auth", "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "csc",
        "cvc", "cvv", "cvv2", "jwt", "mfa", "otp", "passphrase", "passwd", "password", "pin", "pwd",
        "secret", "secrets", "session", "signature", "ssn", "tfa", "token", "totp", "2fa",
    }
)  # fmt: skip
_SECRET_FRAGMENTS: Final = (
    "accesskey", "apikey", "authtoken", "accesstoken", "authorization", "clientsecret",
    "credential", "idtoken", "passphrase", "password", "passwd", "privatekey", "refreshtoken",
    "secret", "signingkey", "encryptionkey", "cardnumber", "passcode", "accesscode",
    "activationcode", "backupcode", "confirmationcode", "onetimecode", "recoverycode",
    "securitycode", "smscode", "twofactor", "unlockcode", "verificationcode",
)  # fmt: skip
"""Looked for in a name with its separators taken out, so that `apiKey`, `api-key` and `APIKEY`
are one."""
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+")
_NOT_ALNUM: Final = re.compile(r"[^a-z0-9]+")

SHAPE_CHARS_MIN: Final = 12
"""No shape below is shorter, so shorter text needs no look."""
_MASK: Final = "\uffff"
_MASKED: Final = re.compile(_MASK + "+")
_SCAN_CHARS_BEYOND: Final = 4_096
"""Text is searched this far beyond what is kept, so that a secret cut in two is still known."""

_SHAPES: Final = re.compile(
    "|".join(
        (
            r"-----BEGIN[^-]{1,64}-----(?:(?!-----END)[\s\S])*(?:-----END[^-]{0,64}-{0,5})?",
            r"(?:sk|rk|pk)_(?:live|test)_\w+|whsec_[\w+/=]+",
            r"(?<![A-Za-z0-9])sk-[\w-]{16,}",
            r"A[KS]IA[A-Z0-9]{12,}",
            r"xox[a-z]-[\w-]+|xapp-[\w-]+",
            r"gh[opsur]_\w{16,}|github_pat_\w+|glpat-[\w-]+",
            r"eyJ[\w-]{9,}(?:\.[\w-]*)*",
            r"AIza[\w-]{30,}|ya29\.[\w-]+|GOCSPX-[\w-]+",
            r"npm_\w{30,}|pypi-[\w-]{16,}|SG\.[\w-]{16,}\.[\w-]+|dop_v1_\w+|shp(?:at|ca|pa|ss)_\w+",
            r"hf_\w{20,}|key-[0-9a-f]{32}",
            r"cr_[a-z0-9]+_[\w-]{16,}",
            r"(?:[Bb]earer|[Bb]asic|[Tt]oken)(?:\s|\+|%20)+[\w+/=.~-]{8,}",
            r"(?<=://)[^/\s@]{1,256}@",
            r"/services/T\w+/B\w+/\w+|/webhooks/\d{15,}/[\w-]{20,}|\d{6,12}:[\w-]{30,}",
        )
    )
)
# A look for all shapes at every character costs microseconds; these begin with a literal, so that
# most text is passed over in a fraction of one. INVARIANT(suspicion): what `_SHAPES` finds,
# `_is_suspect` suspects; a property test holds it.
_UNDERSCORE_SIGNS: Final = re.compile(
    r"_(?:(?<=[srp]k_)(?:live|test)_|(?<=whsec_)|(?<=gh[opsur]_)|(?<=_pat_)|(?<=npm_)"
    r"|(?<=_v1_)|(?<=shp[a-z]{2}_)|(?<=hf_)|(?<=cr_))"
)
_DASH_SIGNS: Final = re.compile(
    r"-(?:-|(?<=sk-)|(?<=xox[a-z]-)|(?<=xapp-)|(?<=glpat-)|(?<=GOCSPX-)|(?<=pypi-)|(?<=key-))"
)
_COLON_SIGN: Final = re.compile(r":(?<=\d:)[\w-]{30}")
_PLAIN_SIGNS: Final = (
    "eyJ", "AKIA", "ASIA", "AIza", "ya29.", "SG.", "earer", "asic", "oken", "/services/T",
    "/webhooks/", "://",
)  # fmt: skip
_DIGIT_BREAK: Final = re.compile(r"[ +-]|%20")
_DIGIT_GROUPS: Final = re.compile(r"(?<!\d)\d+(?:(?:[ +-]|%20)\d+)*")
_CARD_SIGN: Final = re.compile(r"[2-6](?<!\d[2-6])(?:(?:[ +-]|%20)?\d){12}")
_CARD_DIGITS_MIN: Final = 13
_CARD_DIGITS_MAX: Final = 19
_PLAIN_INTEGER_MAX: Final = 10**12 - 1
"""A longer number may be that of a card."""
_SMALL_INTEGER_MAX: Final = 10**9 - 1
"""What nobody declared and is a larger number may be an account's, a phone's or a secret."""
_INNOCUOUS: Final = re.compile(r"|-?\d{1,9}(?:\.\d{1,4})?|true|false|null|yes|no|on|off")
"""Text that is no secret whoever wrote it. A form has no other way to say a number."""
_UNNAMED_SEGMENT: Final = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[^/]{20,}")
"""Of a path that no mapper knows: long enough for a token, and with letters and digits."""
_NOTHING_KNOWN: Final[frozenset[str]] = frozenset()


def redact_params(
    params: Mapping[str, ParamValue], limits: RedactionLimits = LIMITS
) -> dict[str, JsonValue]:
    """The params of one action as they may be written down."""
    if len(params) > limits.items_max:
        return _Walk(limits).mapping(params, 1)
    redacted: dict[str, JsonValue] = {}
    for name, value in params.items():
        # The common case is flat: text and small numbers. Anything else takes the whole walk.
        key, is_secret = _key(name)
        if key in redacted:
            return _Walk(limits).mapping(params, 1)
        if is_secret:
            redacted[key] = _secret(value)
        elif isinstance(value, str):
            is_plain = len(value) < SHAPE_CHARS_MIN and value.isascii()
            redacted[key] = value if is_plain else redact_text(value, limits.text_chars_max)
        elif value is None or (isinstance(value, int) and abs(value) <= _PLAIN_INTEGER_MAX):
            redacted[key] = value
        else:
            return _Walk(limits).mapping(params, 1)
    return redacted


def redact_text(text: str, chars_max: int = LIMITS.text_chars_max) -> str:
    """Text with secret-looking parts replaced, cut to `chars_max` with a mark of what was cut."""
    if len(text) >= SHAPE_CHARS_MIN:
        if len(text) > chars_max:
            return _unicode(_redact_long(text, chars_max))
        if _is_suspect(text):
            text = _SHAPES.sub(_marked, text)
        if _CARD_SIGN.search(text):
            text = _DIGIT_GROUPS.sub(_cards, text)
    return text if text.isascii() else _unicode(text)


def _redact_long(text: str, chars_max: int) -> str:
    """Secrets keep their length until the cut, so that nothing from behind it moves into view:
    there, the end of the search may have cut a secret so short that its shape is gone."""
    searched = text[: chars_max + _SCAN_CHARS_BEYOND]
    masked = _SHAPES.sub(lambda match: _MASK * len(match[0]), searched)
    masked = _DIGIT_GROUPS.sub(
        lambda match: match[0] if _cards(match) == match[0] else _MASK * len(match[0]), masked
    )
    shown: list[str] = []
    end = 0
    for match in _MASKED.finditer(masked):
        if match.start() >= chars_max:
            break
        shown += masked[end : match.start()], mark(searched[match.start() : match.end()])
        end = match.end()
    shown.append(masked[end:chars_max])
    return f"{''.join(shown)}…(+{len(text) - chars_max} characters)"


def _marked(match: re.Match[str]) -> str:
    return mark(match[0])


def _secret(value: object) -> str:
    """The mark of what a name calls a secret."""
    return mark(str(value)) if isinstance(value, str | int) else REDACTED


def _is_suspect(text: str) -> bool:
    """Whether a look for secret shapes is worth its price."""
    if "_" in text and _UNDERSCORE_SIGNS.search(text):
        return True
    if "-" in text and _DASH_SIGNS.search(text):
        return True
    if ":" in text and _COLON_SIGN.search(text):
        return True
    for sign in _PLAIN_SIGNS:  # noqa: SIM110 - a loop costs half of what `any` does
        if sign in text:
            return True
    return False


def redact_undeclared(
    params: Mapping[str, object],
    limits: RedactionLimits = LIMITS,
    known: frozenset[str] = _NOTHING_KNOWN,
) -> dict[str, JsonValue]:
    """Fields that nobody declared: their names, and a mark for each value, but truth values, small
    numbers, and texts that are `known` from elsewhere in the same request, casefolded there."""
    return _Walk(limits, known).mapping(params, 1, is_free=True)


def redact_target(
    target: bytes, limits: RedactionLimits = LIMITS, *, is_unmapped: bool = False
) -> tuple[str, str | None]:
    """The path with its query's values hidden, and the digest of the whole query (None without
    one, or without a key).
    Where no mapper knows the path, a segment that may be a token is hidden too.

    A query piece without `=` is a value: it may be a whole token. A query value hides what a
    search asked for; its digest still tells two requests apart.
    """
    raw_path, has_query, query = target.partition(b"?")
    text = raw_path.decode("ascii", "backslashreplace")
    path = redact_text(text, limits.path_chars_max)
    if is_unmapped:
        path = redact_segments(path)
    if not has_query:
        return path, None
    pieces = query.split(b"&", limits.items_max)
    shown = [_query_piece(piece, limits) for piece in pieces[: limits.items_max]]
    if len(pieces) > limits.items_max:
        shown.append("…")
    return f"{path}?{'&'.join(shown)}", content_digest(query)


def redact_segments(path: str) -> str:
    """A path, redacted already, without the segments that may be tokens."""
    return _UNNAMED_SEGMENT.sub(_marked_segment, path)


def _marked_segment(match: re.Match[str]) -> str:
    return match[0] if REDACTED_SIGN in match[0] else mark(match[0])


def _query_piece(piece: bytes, limits: RedactionLimits) -> str:
    name, has_value, _ = piece.partition(b"=")
    if not has_value:
        return HIDDEN_VALUE if piece else ""
    key = redact_text(name.decode("ascii", "backslashreplace"), limits.key_chars_max)
    return f"{key}={HIDDEN_VALUE}"


@lru_cache(maxsize=4_096)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    words = [word.lower() for word in _WORDS.findall(name[:256])]
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    compact = _NOT_ALNUM.sub("", name[:256].lower())
    return compact in _SECRET_WORDS or any(part in compact for part in _SECRET_FRAGMENTS)


@lru_cache(maxsize=4_096)
def _key(name: str) -> tuple[str, bool]:
    return redact_text(name, LIMITS.key_chars_max), is_secret_name(name)


class _Walk:
    """One walk over nested params, with a budget of leaves that all of it shares. `is_free`: nobody
    declared what is in it; so is every mapping within a param."""

    def __init__(self, limits: RedactionLimits, known: frozenset[str] = _NOTHING_KNOWN) -> None:
        self._limits = limits
        self._known = known
        self._leaves_left = limits.leaves_max

    def mapping(
        self, params: Mapping[str, object], depth: int, *, is_free: bool = False
    ) -> dict[str, JsonValue]:
        limits = self._limits
        redacted: dict[str, JsonValue] = {}
        for index, (name, value) in enumerate(params.items()):
            if index >= limits.items_max or self._leaves_left <= 0:
                redacted["…"] = f"(+{len(params) - index} fields)"
                break
            key = redact_text(name, limits.key_chars_max)
            if key in redacted:
                key = f"{key}#{index}"
            is_secret = is_secret_name(name)
            redacted[key] = _secret(value) if is_secret else self._value(value, depth, is_free)
        return redacted

    def _value(self, value: object, depth: int, is_free: bool) -> JsonValue:
        match value:
            case None | bool():
                self._leaves_left -= 1
                return value
            case str():
                self._leaves_left -= 1
                if (
                    is_free
                    and value.casefold() not in self._known
                    and not _INNOCUOUS.fullmatch(value)
                ):
                    return mark(value)
                return redact_text(value, self._limits.text_chars_max)
            case int():
                self._leaves_left -= 1
                if is_free and abs(value) > _SMALL_INTEGER_MAX and str(value) not in self._known:
                    return mark(str(value)) if abs(value) < INTEGER_MAX else REDACTED
                return _integer(value)
            case Mapping() | list() | tuple() if depth >= self._limits.depth_max:
                self._leaves_left -= 1
                return "…(nested deeper)"
            case Mapping():
                return self.mapping(value, depth + 1, is_free=True)
            case list() | tuple():
                return self._list(value, depth + 1, is_free)
            case _:
                self._leaves_left -= 1
                return f"({type(value).__name__})"

    def _list(self, values: Sequence[object], depth: int, is_free: bool) -> list[JsonValue]:
        redacted: list[JsonValue] = []
        for index, value in enumerate(values):
            if index >= self._limits.items_max or self._leaves_left <= 0:
                redacted.append(f"…(+{len(values) - index} items)")
                break
            redacted.append(self._value(value, depth, is_free))
        return redacted


def _integer(value: int) -> JsonValue:
    if -_PLAIN_INTEGER_MAX <= value <= _PLAIN_INTEGER_MAX:
        return value
    if not -(10**30) < value < 10**30:
        return "(integer beyond 30 digits)"
    text = _DIGIT_GROUPS.sub(_cards, str(value))
    return value if text == str(value) and -INTEGER_MAX <= value <= INTEGER_MAX else text


def _cards(match: re.Match[str]) -> str:
    """Groups of digits, redacted if some neighbours among them make a card number. Other digits
    beside it (an amount, a year) must not hide it."""
    groups = _DIGIT_BREAK.split(match[0])
    for start in range(len(groups)):
        number = ""
        for group in groups[start:]:
            number += group
            if len(number) > _CARD_DIGITS_MAX:
                break
            if _is_card(number):
                return mark(match[0])
    return match[0]


def _is_card(number: str) -> bool:
    """Length and first digit of the card schemes in use; others are ids of something else."""
    if len(number) < _CARD_DIGITS_MIN or number[0] not in "23456":
        return False
    return _passes_luhn([int(digit) for digit in number])


def _passes_luhn(digits: Sequence[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = sum(digits[-1::-2])
    for digit in digits[-2::-2]:
        total += digit * 2 - 9 if digit > 4 else digit * 2
    return total % 10 == 0


def _unicode(text: str) -> str:
    """Lone surrogates (from a lenient decoder) have no UTF-8 and so no canonical form."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
