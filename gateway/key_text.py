"""Keys that an operator gives as text, or as a file that holds it."""

from __future__ import annotations

from pathlib import Path

from gateway.model.errors import ConfigurationError, Problem


def load_key_text(text: str, file: str, *, what: str, variable: str, code: str) -> str:
    """The text of a key; of the file where it is empty, and empty where both are.

    `what` names the key in a sentence, `variable` is the setting that names the file.

    Raises:
        ConfigurationError: `code`, the file can't be read.
    """
    if text or not file:
        return text
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a key"
        problem = Problem(file, 0, 0, f"{what} can't be read: {reason}", f"check {variable}")
        raise ConfigurationError(code, [problem]) from error
