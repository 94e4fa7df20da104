"""Settings: every variable, every way to get it wrong, all problems at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.settings import (
    AnchorS3Settings,
    AnchorSettings,
    BundleFilesSettings,
    ControlSettings,
    LogSettings,
    OtlpSettings,
    ReachingSettings,
    TlsSettings,
    load_settings,
)
from gateway.model.aws_signature import AwsKeys
from gateway.model.errors import ConfigurationError

DATA = {"CHECKREIN_DATA_DIR": "/d"}

GOOD = {
    "only a data directory": (DATA, ControlSettings(Path("/d"))),
    "empty variables are unset ones": (
        {**DATA, "CHECKREIN_API_PORT": "", "CHECKREIN_REDIS_URL": ""},
        ControlSettings(Path("/d")),
    ),
    "the gateway's variables are not ours": (
        {**DATA, "CHECKREIN_PROXY_PORT": "x"},
        ControlSettings(Path("/d")),
    ),
    "everything": (
        {
            **DATA,
            "CHECKREIN_DATABASE_URL": "postgresql://u@h/d",
            "CHECKREIN_API_HOST": "0.0.0.0",
            "CHECKREIN_API_PORT": "0",
            "CHECKREIN_REDIS_URL": "redis://h",
            "CHECKREIN_APPROVED_SECONDS_MAX": "60",
            "CHECKREIN_LOG_LEVEL": "debug",
        },
        ControlSettings(Path("/d"), "postgresql://u@h/d", "0.0.0.0", 0, "redis://h", 60.0, "DEBUG"),
    ),
    "where bundles come from": (
        {
            **DATA,
            "CHECKREIN_BUNDLE_KEY_FILE": "/run/key.pem",
            "CHECKREIN_BOOTSTRAP_POLICIES": "/p/a.yaml:/p/b",
            "CHECKREIN_BOOTSTRAP_MAPPERS": "/m",
        },
        ControlSettings(
            Path("/d"),
            bundles=BundleFilesSettings(
                Path("/run/key.pem"), (Path("/p/a.yaml"), Path("/p/b")), (Path("/m"),)
            ),
        ),
    ),
    "a certificate, and bounds": (
        {
            **DATA,
            "CHECKREIN_TLS_CERT_FILE": "/c.pem",
            "CHECKREIN_TLS_KEY_FILE": "/k.pem",
            "CHECKREIN_IDEMPOTENCY_SECONDS": "60",
            "CHECKREIN_DATABASE_CONNECTIONS_MAX": "30",
        },
        ControlSettings(
            Path("/d"),
            tls=TlsSettings(Path("/c.pem"), Path("/k.pem")),
            idempotency_seconds=60.0,
            database_connections_max=30,
        ),
    ),
    "what signs logs, and where checkpoints are kept": (
        {
            **DATA,
            "CHECKREIN_LOG_KEY_FILE": "/run/log.pem",
            "CHECKREIN_LOG_STATE_DIR": "/var/signed",
            "CHECKREIN_ANCHOR_FILE": "/mnt/kept",
            "CHECKREIN_ANCHOR_SECONDS": "60",
            "CHECKREIN_ANCHOR_S3_BUCKET": "audit-logs",
            "CHECKREIN_ANCHOR_S3_ACCESS_KEY_ID": "AKIA",
            "CHECKREIN_ANCHOR_S3_SECRET_ACCESS_KEY": "s",
            "CHECKREIN_ANCHOR_S3_ENDPOINT": "http://minio:9000/",
            "CHECKREIN_ANCHOR_S3_PREFIX": "a/b/",
            "CHECKREIN_ANCHOR_S3_RETAIN_DAYS": "3650",
        },
        ControlSettings(
            Path("/d"),
            log=LogSettings(Path("/run/log.pem"), Path("/var/signed")),
            anchors=AnchorSettings(
                Path("/mnt/kept"),
                AnchorS3Settings(
                    "audit-logs",
                    AwsKeys("AKIA", "s"),
                    "us-east-1",
                    "http://minio:9000",
                    "a/b/",
                    3650,
                ),
                60.0,
            ),
        ),
    ),
    "what is kept for how long, and who else gets it": (
        {
            **DATA,
            "CHECKREIN_RETENTION_DAYS": "400",
            "CHECKREIN_OTLP_ENDPOINT": "http://collector:4318/",
            "CHECKREIN_OTLP_HEADERS": "Authorization=Bearer%20s, x-tenant=a",
        },
        ControlSettings(
            Path("/d"),
            retention_days=400,
            otlp=OtlpSettings(
                "http://collector:4318", (("authorization", "Bearer s"), ("x-tenant", "a"))
            ),
        ),
    ),
    "how people are reached": (
        {
            **DATA,
            "CHECKREIN_PUBLIC_URL": "https://checkrein.example.com/",
            "CHECKREIN_SECRETS_KEY_FILE": "/run/secrets.key",
            "CHECKREIN_WEBHOOK_ALLOW": "hooks.corp, 10.1.0.0/16,",
            "CHECKREIN_SLACK_API_URL": "https://slack-gov.com/api/",
            "CHECKREIN_BOOTSTRAP_CHANNEL": "{}",
        },
        ControlSettings(
            Path("/d"),
            reaching=ReachingSettings(
                "https://checkrein.example.com",
                Path("/run/secrets.key"),
                ("hooks.corp", "10.1.0.0/16"),
                "https://slack-gov.com/api",
                "{}",
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_settings_are_read(name: str):
    """Variables become typed values; what is unset has its default."""
    environment, expected = GOOD[name]
    assert load_settings(environment) == expected


BAD = {
    "nowhere to keep data": ({}, ["DATA_DIR", "DATA_DIR"]),
    "a database but nowhere for keys": ({"CHECKREIN_DATABASE_URL": "postgres://h/d"}, ["DATA_DIR"]),
    "a log's key, and nowhere to remember what it signed": (
        {
            "CHECKREIN_DATABASE_URL": "postgres://h/d",
            "CHECKREIN_LOG_KEY_FILE": "/k",
            "CHECKREIN_BOOTSTRAP_ADMIN_KEY": "a" * 24,
            "CHECKREIN_BOOTSTRAP_GATEWAY_KEY": "g" * 24,
        },
        ["LOG_STATE_DIR"],
    ),
    "a bucket without keys": ({**DATA, "CHECKREIN_ANCHOR_S3_BUCKET": "b-1"}, ["ANCHOR_S3_BUCKET"]),
    "a bucket that is a path": (
        {**DATA, "CHECKREIN_ANCHOR_S3_BUCKET": "b/../c", "CHECKREIN_ANCHOR_S3_PREFIX": "../"},
        ["ANCHOR_S3_BUCKET"],
    ),
    "days and headers that are none": (
        {**DATA, "CHECKREIN_RETENTION_DAYS": "-1", "CHECKREIN_OTLP_HEADERS": "a=b%0d%0ac: d"},
        ["OTLP_HEADERS", "RETENTION_DAYS"],
    ),
    "a port that is a word": ({**DATA, "CHECKREIN_API_PORT": "http"}, ["API_PORT"]),
    "a port beyond the last": ({**DATA, "CHECKREIN_API_PORT": "65536"}, ["API_PORT"]),
    "a negative port": ({**DATA, "CHECKREIN_API_PORT": "-1"}, ["API_PORT"]),
    "another database": ({**DATA, "CHECKREIN_DATABASE_URL": "mysql://h"}, ["DATABASE_URL"]),
    "another cache": ({**DATA, "CHECKREIN_REDIS_URL": "http://h"}, ["REDIS_URL"]),
    "no time at all": ({**DATA, "CHECKREIN_APPROVED_SECONDS_MAX": "0"}, ["APPROVED_SECONDS_MAX"]),
    "no number": ({**DATA, "CHECKREIN_APPROVED_SECONDS_MAX": "nan"}, ["APPROVED_SECONDS_MAX"]),
    "an unknown level": ({**DATA, "CHECKREIN_LOG_LEVEL": "LOUD"}, ["LOG_LEVEL"]),
    "a key that can be guessed": (
        {**DATA, "CHECKREIN_BOOTSTRAP_AGENT_KEY": "x"},
        ["BOOTSTRAP_AGENT_KEY"],
    ),
    "an address without its scheme": ({**DATA, "CHECKREIN_PUBLIC_URL": "a.test"}, ["PUBLIC_URL"]),
    "half of a pair": ({**DATA, "CHECKREIN_TLS_CERT_FILE": "/c.pem"}, ["TLS_KEY_FILE"]),
    "the other half": ({**DATA, "CHECKREIN_TLS_KEY_FILE": "/k.pem"}, ["TLS_CERT_FILE"]),
    "too few connections": (
        {**DATA, "CHECKREIN_DATABASE_CONNECTIONS_MAX": "3"},
        ["DATABASE_CONNECTIONS_MAX"],
    ),
    "a name with a slip": (
        {
            **DATA,
            "CHECKREIN_RETENTION_DAY": "400",
            "CHECKREIN_DATABSE_URL": "postgres://u:hunter2@h/d",
            "CHECKREIN_PROXY_PORT": "3128",
            "PATH": "/bin",
        },
        ["DATABSE_URL", "RETENTION_DAY"],
    ),
    "several at once": (
        {**DATA, "CHECKREIN_API_PORT": "x", "CHECKREIN_LOG_LEVEL": "y"},
        ["API_PORT", "LOG_LEVEL"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_all_told(name: str):
    """Each problem names its variable, and none repeats a value."""
    environment, expected = BAD[name]
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment)
    assert [problem.file for problem in caught.value.problems] == [
        f"CHECKREIN_{one}" for one in expected
    ]
    assert "hunter2" not in str([(one.message, one.help) for one in caught.value.problems])


def test_a_slip_is_told_the_right_name():
    """A retention that nobody reads keeps everything, and nobody would notice."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({**DATA, "CHECKREIN_RETENTION_DAY": "400"})
    (problem,) = caught.value.problems
    assert problem.help == "did you mean `CHECKREIN_RETENTION_DAYS`?"


def test_no_secret_shows_in_a_repr():
    """URLs and keys may stand in a traceback's locals."""
    key = "k" * 40
    settings = load_settings(
        {
            **DATA,
            "CHECKREIN_DATABASE_URL": "postgresql://u:hunter2@h/d",
            "CHECKREIN_REDIS_URL": "redis://:hunter2@h",
            "CHECKREIN_BOOTSTRAP_CHANNEL": '{"slack": "hunter2"}',
            "CHECKREIN_BOOTSTRAP_ADMIN_KEY": key,
        }
    )
    assert settings.bootstrap.admin == key
    assert "hunter2" not in repr(settings)
    assert key not in repr(settings)
