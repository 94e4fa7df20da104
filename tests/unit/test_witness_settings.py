"""The gateway's own keys for looking at targets: whole or not at all, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.journey.witness_reader import WitnessSettings
from gateway.model.errors import ConfigurationError
from gateway.settings import load_settings

NAME = "CHECKREIN_WITNESS_AWS_"


def given(**values: str) -> WitnessSettings:
    """Settings as the environment gives them."""
    named = {f"{NAME}{name}": value for name, value in values.items()}
    return load_settings({"CHECKREIN_DATA_DIR": "/data", **named}).witness


def test_without_keys_there_are_none() -> None:
    """The ordinary case: nothing is signed."""
    assert given().load_aws_keys() is None


def test_keys_come_as_text_or_from_files_that_may_change(tmp_path: Path) -> None:
    """A file is read at each use, so that keys which expire can be renewed there."""
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    settings = given(
        ACCESS_KEY_ID="AKID", SECRET_ACCESS_KEY_FILE=str(secret), SESSION_TOKEN="token"
    )
    keys = settings.load_aws_keys()
    assert keys is not None
    assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == (
        "AKID", "first", "token",
    )  # fmt: skip
    secret.write_text("second")
    keys = settings.load_aws_keys()
    assert keys is not None
    assert keys.secret_access_key == "second"


HALF = {
    "no secret": {"ACCESS_KEY_ID": "AKID"},
    "no id": {"SECRET_ACCESS_KEY": "hidden"},
    "a token alone": {"SESSION_TOKEN": "hidden"},
    "a line break": {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": "hidden\nx"},
    "a file that isn't there": {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY_FILE": "/no/file"},
}


@pytest.mark.parametrize("values", HALF.values(), ids=HALF.keys())
def test_half_a_key_is_a_problem_that_says_what_to_set(values: dict[str, str]) -> None:
    """At the start, not when the first approval needs it; and no value is repeated."""
    with pytest.raises(ConfigurationError) as raised:
        given(**values).load_aws_keys()
    told = str(raised.value) + "".join(map(str, raised.value.problems))
    assert f"{NAME}SECRET_ACCESS_KEY" in told
    assert "hidden" not in told


def test_secrets_are_not_shown() -> None:
    """Not by whatever prints settings."""
    shown = repr(given(ACCESS_KEY_ID="AKID", SECRET_ACCESS_KEY="hidden", SESSION_TOKEN="hidden"))
    assert "hidden" not in shown
