"""What people write instead of the language's own words, and how it is written here."""

from __future__ import annotations

from typing import Final

from gateway.decide.conditions.signatures import GLOBALS, METHODS
from gateway.decide.conditions.syntax import ConditionError, Quantifier, Span
from gateway.decide.nearest import nearest_help

RESERVED: Final = frozenset(
    {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
SPELT_OUT: Final = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`, as in `!(x in y)`",
    "is": "write `==`",
    "equals": "write `==`",
    "then": "write `condition ? a : b`",
    "if": "write `condition ? a : b`",
    "true": "write `true`",
    "false": "write `false`",
    "null": "write `null`",
    "none": "write `null`",
    "nil": "write `null`",
}
"""What other languages call it, in lower case, and how it is written here."""
BEHIND: Final = (*METHODS, *(quantifier.value for quantifier in Quantifier))
"""Everything that is written behind a value."""
_ELSEWHERE: Final = frozenset(
    {
        "uint", "bytes", "type", "dyn", "charAt", "indexOf", "lastIndexOf", "lowerAscii",
        "upperAscii", "replace", "split", "join", "substring", "trim", "format", "quote",
        "reverse", "distinct", "flatten", "sort", "sortBy", "slice", "first", "last", "optMap",
        "transformList", "transformMap", "existsOne",
    }
)  # fmt: skip
"""Functions of CEL that this language leaves out: told apart from spelling mistakes."""


def help_for(before: str, text: str) -> str:
    """The way out for a token that stands where it can't; `before` is the token before it."""
    if (before, text) == ("<", ">"):
        return "write `!=`"
    if text in BEHIND:
        return f'write it behind its value: `params.name.{text}("x")`'
    help_text = SPELT_OUT.get(text.lower(), "")
    return help_text if help_text != f"write `{text}`" else ""


def unknown_function(
    name: str, span: Span, known: tuple[str, ...], *, is_method: bool
) -> ConditionError:
    """The error for a call of what is no function, or is written elsewhere."""
    if name in _ELSEWHERE:
        return ConditionError(
            f"`{name}` of CEL is not part of this language",
            span,
            "policies/README.md lists what there is",
        )
    if is_method and name in GLOBALS:
        return ConditionError(
            f"`{name}` is written before its value",
            span,
            f"write it as in `{name}(params.name)`",
        )
    if not is_method and name in BEHIND:
        return ConditionError(
            f"`{name}` is written behind its value",
            span,
            f'write it as in `params.name.{name}("x")`',
        )
    return ConditionError(f"there is no function `{name}`", span, nearest_help(name, known))
