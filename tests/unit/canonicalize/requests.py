"""Short ways to write requests and small mappers for the tables of this folder."""

from __future__ import annotations

from pathlib import Path

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.exchange import HttpRequest

FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")
XML = ("content-type", "application/xml")

SHOP = Path(__file__).with_name("shop.yaml").read_text()


def load_text(folder: Path, *texts: str) -> Canonicalizer:
    """Load mapper files with these texts."""
    files = []
    for number, text in enumerate(texts):
        path = folder / f"mapper{number}.yaml"
        path.write_text(text)
        files.append(path)
    return Canonicalizer.load(files)


def shop(line: str, *headers: tuple[str, str], host: str = "shop.test") -> HttpRequest:
    """`METHOD TARGET [BODY]` sent to the shop."""
    method, _, rest = line.partition(" ")
    target, _, body = rest.partition(" ")
    return build_request(method, f"https://{host}{target}", headers, body.encode())
