"""Settings: every problem at once, and no misspelt limit that stays at its default."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model.effect import Mode
from gateway.model.errors import ConfigurationError
from gateway.settings import OTHERS_NAMES, load_settings, setting_names

DATA = {"CHECKREIN_DATA_DIR": "/data"}

README = Path(__file__).resolve().parents[2] / "README.md"


def test_every_part_has_its_own_names() -> None:
    """A flat name that two parts use could set the wrong limit."""
    names = setting_names()

    assert len(set(names)) == len(names)


def test_what_is_not_set_keeps_its_default() -> None:
    """An empty environment but for the data directory is a working configuration."""
    settings = load_settings(DATA)

    assert settings.intercept.proxy_port == 3128
    assert settings.pipeline.mode is Mode.ENFORCE
    assert settings.data_dir == Path("/data")


TYPED = {
    "a port is a number": ("PROXY_PORT", "0", lambda s: s.intercept.proxy_port, 0),
    "seconds may have a fraction": (
        "HOLD_SECONDS_MAX",
        "1.5",
        lambda s: s.hold.hold_seconds_max,
        1.5,
    ),
    "a mode is one of two words": ("MODE", "monitor", lambda s: s.pipeline.mode, Mode.MONITOR),
    "a list has commas": (
        "PASSTHROUGH_HOSTS",
        "a.test, b.test",
        lambda s: s.pipeline.passthrough_hosts,
        ("a.test", "b.test"),
    ),
    "ports are a list of numbers": (
        "PORTS_ALLOWED",
        "443,8443",
        lambda s: s.pipeline.ports_allowed,
        (443, 8443),
    ),
    "a public address has no slash at its end": (
        "PUBLIC_URL",
        "https://control.example.test/",
        lambda s: s.pipeline.public_url,
        "https://control.example.test",
    ),
    "a number may have spaces around it": (
        "BODY_BYTES_MAX",
        " 1_000 ",
        lambda s: s.intercept.body_bytes_max,
        1_000,
    ),
    "a port that may be none is a number": (
        "TRANSPARENT_PORT",
        "3129",
        lambda s: s.entrances.transparent_port,
        3129,
    ),
    "a key is text": ("API_KEY", "cr_gateway_x", lambda s: s.control.api_key, "cr_gateway_x"),
}


@pytest.mark.parametrize(("name", "text", "read", "expected"), TYPED.values(), ids=TYPED.keys())
def test_text_becomes_the_type_of_the_field(name, text, read, expected) -> None:
    """A variable is text; the part gets its own type."""
    settings = load_settings({**DATA, f"CHECKREIN_{name}": text})

    assert read(settings) == expected


WRONG = {
    "a word where a number belongs": ({"CHECKREIN_PROXY_PORT": "many"}, "proxy_port `many`", ""),
    "a fraction where a whole number belongs": (
        {"CHECKREIN_PROXY_PORT": "1.5"},
        "proxy_port `1.5`: give a whole number",
        "",
    ),
    "a number without an end": ({"CHECKREIN_PROXY_PORT": "9" * 99}, "give a whole number", ""),
    "a word where seconds belong": (
        {"CHECKREIN_HOLD_SECONDS_MAX": "long"},
        "hold_seconds_max `long`: give a number",
        "",
    ),
    "a list with a word among its numbers": (
        {"CHECKREIN_PORTS_ALLOWED": "443,https"},
        "ports_allowed `443,https`: give a whole number",
        "",
    ),
    "a misspelt limit": (
        {"CHECKREIN_BODY_BYTE_MAX": "1"},
        "no setting `body_byte_max`",
        "`body_bytes_max`",
    ),
    "a misspelt setting of the control plane": (
        {"CHECKREIN_ANCHOR_FIEL": "/x"},
        "there is no setting `anchor_fiel`",
        "did you mean `anchor_file`?",
    ),
    "a key of the log that is none": (
        {"CHECKREIN_LOG_KEY": "garbage"},
        "log_key: a verifier key is `<name>+<8 hex digits>+<base64>`",
        "",
    ),
    "a host that is an address": (
        {"CHECKREIN_HTTP2_HOSTS": "https://api.test/"},
        "http2_hosts `https://api.test/`",
        "",
    ),
    "an unknown log level": (
        {"CHECKREIN_LOG_LEVEL": "LOUD"},
        "log_level `LOUD`",
        "",
    ),
    "no data directory": ({"CHECKREIN_DATA_DIR": ""}, "no data directory", "CHECKREIN_DATA_DIR"),
    "a connection rule of another form": ({"CHECKREIN_CONNECT_TO": "nonsense"}, "`nonsense`", ""),
    "a look at files without a pause": (
        {"CHECKREIN_RELOAD_POLL_SECONDS": "0"},
        "reload_poll_seconds `0.0`",
        "",
    ),
    "a time that has no end": (
        {"CHECKREIN_STALE_SECONDS_MAX": "inf"},
        "stale_seconds_max `inf`",
        "",
    ),
    "a source of policies that does not exist": (
        {"CHECKREIN_POLICY_SOURCE": "git"},
        "policy_source `git`",
        "",
    ),
    "a mode that does not exist": (
        {"CHECKREIN_MODE": "off"},
        "mode `off`: give one of enforce, monitor",
        "",
    ),
    "a settings file that is not there": (
        {"CHECKREIN_CONFIG": "/nowhere.yaml"},
        "can't be read",
        "",
    ),
}


@pytest.mark.parametrize(("environment", "message", "help_text"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_told_with_its_name(environment, message, help_text) -> None:
    """The gateway must not start on a configuration that it did not understand."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**DATA, **environment})

    problem = caught.value.problems[0]
    assert message in problem.message
    assert help_text in problem.help


def test_a_problem_between_settings_names_one_of_them() -> None:
    """And not the class that found it, which nobody can set."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings({**DATA, "CHECKREIN_REVERSE_PORT": "1", "CHECKREIN_WORKERS": "0"})

    files = [problem.file for problem in raised.value.problems]
    assert files == ["CHECKREIN_REVERSE", "CHECKREIN_WORKERS"]


def test_all_problems_come_at_once() -> None:
    """Nobody wants to start three times to find three mistakes."""
    environment = {**DATA, "CHECKREIN_PROXY_PORT": "x", "CHECKREIN_MODE": "y", "CHECKREIN_ZZZ": "z"}

    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment)

    assert len(caught.value.problems) == 3


UNREADABLE = {
    "a key on a line that is no YAML": (b"mode: enforce\napi_key: cr_secret: x\n", 2),
    "a key in a text without an end": (b'api_key: "cr_secret', 1),
    "a date that is none": (b"api_key: 2026-13-45", 0),
    # More than the stack holds, and no more: its scanner takes a second for thousands.
    "nested without an end": (b"[" * 500, 0),
    "bytes that are no text": (b"\xff\xfe\0", 0),
}


@pytest.mark.parametrize(("data", "line"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_is_no_yaml_is_told_without_its_words(
    tmp_path: Path, data: bytes, line: int
) -> None:
    """When it is read again too, which nothing in it may end."""
    file = tmp_path / "settings.yaml"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**DATA, "CHECKREIN_CONFIG": str(file)})
    problem = caught.value.problems[0]
    assert (problem.line, "can't be read" in problem.message) == (line, True)
    assert "cr_secret" not in repr(caught.value.problems)


def test_a_secret_is_not_repeated_in_a_problem(tmp_path: Path) -> None:
    """A key of the wrong type in the settings file stays out of the message."""
    file = tmp_path / "settings.yaml"
    file.write_text("api_key: [planted-secret]\n")

    with pytest.raises(ConfigurationError) as caught:
        load_settings({**DATA, "CHECKREIN_CONFIG": str(file)})

    assert "planted-secret" not in str(caught.value)


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    """The file is what is shipped, the variable what is set for this one process."""
    file = tmp_path / "settings.yaml"
    file.write_text("proxy_port: 1111\nmetrics_port: 2222\n")

    settings = load_settings(
        {**DATA, "CHECKREIN_CONFIG": str(file), "CHECKREIN_PROXY_PORT": "3333"}
    )

    assert (settings.intercept.proxy_port, settings.admin.metrics_port) == (3333, 2222)


def test_own_mappers_are_laid_over_the_shipped_ones(tmp_path: Path) -> None:
    """A file of the same name replaces the shipped one; the others stay."""
    (tmp_path / "stripe.yaml").write_text("")
    (tmp_path / "own.yaml").write_text("")

    paths = load_settings({**DATA, "CHECKREIN_MAPPERS": str(tmp_path)}).mapper_paths

    names = [path.name for path in paths]
    assert paths[0] == tmp_path
    assert "stripe.yaml" not in names
    assert "slack.yaml" in names


def test_the_readme_names_only_settings_that_exist() -> None:
    """A variable that the README promises is read by the gateway or by the control plane."""
    known = {f"CHECKREIN_{name.upper()}" for name in setting_names()}
    known |= {f"CHECKREIN_{name}" for name in OTHERS_NAMES} | {"CHECKREIN_CONFIG"}
    words = README.read_text(encoding="utf-8").replace("`", " ").replace(",", " ").split()
    promised = {word.removesuffix("[_FILE]") for word in words if word.startswith("CHECKREIN_")}

    assert promised - {"CHECKREIN_*"} <= known
    assert promised


def test_where_a_command_keeps_its_downloads_stops_no_gateway() -> None:
    """`mappers import` reads CHECKREIN_CACHE_DIR; a shell that sets it starts gateways too."""
    environment = {"CHECKREIN_DATA_DIR": "/data", "CHECKREIN_CACHE_DIR": "/cache"}
    assert load_settings(environment) == load_settings({"CHECKREIN_DATA_DIR": "/data"})
