"""Packages that catalogs are made from: pinned by digest, unpacked in bounds, kept once."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports import sources
from gateway.authoring.imports.sources import SourceError, fetch
from gateway.canonicalize.catalog.file import Source


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def tarred(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = (
            1 if kind == tarfile.REGTYPE else 0,
            kind,
            "/etc",
        )
        archive.addfile(member, io.BytesIO(b"x"))
    return data.getvalue()


class Registry:
    """Stands for pip and npm: puts one archive where it is told to."""

    def __init__(self, archive: bytes, *, status: int = 0, said: str = "") -> None:
        self.archive = archive
        self.status = status
        self.said = said
        self.commands: list[Sequence[str]] = []

    def run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        folder = next(
            command[at + 1]
            for at, word in enumerate(command)
            if word in ("--dest", "--pack-destination")
        )
        if not self.status:
            (Path(folder) / "archive").write_bytes(self.archive)
        return subprocess.CompletedProcess(command, self.status, "", self.said)


def source(archive: bytes, registry: str = "pypi") -> Source:
    return Source(registry, "@a/b", "1.0", "MIT", hashlib.sha256(archive).hexdigest())


def use(monkeypatch: pytest.MonkeyPatch, registry: Registry) -> Registry:
    monkeypatch.setattr(subprocess, "run", registry.run)
    monkeypatch.setattr(sources.shutil, "which", lambda name: f"/bin/{name}")  # type: ignore[attr-defined]
    return registry


@pytest.mark.parametrize("registry", ["pypi", "npm"])
def test_a_package_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str
) -> None:
    """The second time it comes from the cache, and no client is asked."""
    archive = zipped(**{"a/b.txt": "text"}) if registry == "pypi" else tarred("package/a.txt")
    client = use(monkeypatch, Registry(archive))

    folders = {fetch(source(archive, registry), tmp_path / "cache") for _ in range(2)}

    (folder,) = folders
    assert [path.is_file() for path in folder.rglob("*.txt")] == [True]
    assert len(client.commands) == 1
    assert "@a/b==1.0" in client.commands[0] or "@a/b@1.0" in client.commands[0]


BAD: dict[str, tuple[Registry, str]] = {
    "a client that fails": (Registry(b"", status=1, said="x\nno such package"), "no such package"),
    "a client that tells a password": (
        Registry(b"", status=1, said="https://me:hunter22@host/ failed"), r"\[redacted\]host",
    ),
    "no archive at all": (Registry(b"nothing"), "damaged"),
    "an archive that is cut off": (Registry(tarred("a")[:-20]), "damaged"),
    "a file outside the folder": (Registry(tarred("../../evil")), "damaged"),
    "a link to outside": (Registry(tarred("link", tarfile.SYMTYPE)), "damaged"),
    "an archive of too much": (Registry(zipped(a="x" * 2_000)), "too much"),
}  # fmt: skip


@pytest.mark.parametrize(("registry", "message"), BAD.values(), ids=BAD)
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: Registry, message: str
) -> None:
    """Nothing stays in the cache, and nothing is written beside it."""
    use(monkeypatch, registry)
    monkeypatch.setattr(sources, "UNPACKED_BYTES_MAX", 1_000)

    with pytest.raises(SourceError, match=message):
        fetch(source(registry.archive), tmp_path / "cache")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_digest_is_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry gives something else than what was pinned."""
    use(monkeypatch, Registry(zipped(a="other")))

    with pytest.raises(SourceError, match="not the pinned one"):
        fetch(source(zipped(a="pinned")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that is a file is told."""
    use(monkeypatch, Registry(zipped(a="x")))
    (tmp_path / "cache").write_text("a file")

    with pytest.raises(SourceError, match="can't be kept"):
        fetch(source(zipped(a="x")), tmp_path / "cache")
