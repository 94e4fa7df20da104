"""What a gateway remembers of bundles: whose they are, and the newest that it ever accepted.

Kept on disk, so that no restart forgets it: a key is trusted once and never exchanged by itself,
and what is older than the newest is refused for ever. A file that can't be read is no fresh start.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gateway.control_client.kept_file import load_kept, store_kept
from gateway.decide.envelope import BundleContent, key_id_of, parse_public_key
from gateway.model.dataclass import dataclass
from gateway.model.errors import BundleError, ConfigurationError, Problem


@dataclass(frozen=True, slots=True)
class Trust:
    """`digest` is of the payload with the number `sequence`; `confirmed_at` (microseconds since
    the Unix epoch) is when the control plane last said that it is current."""

    public_key: str
    tenant_id: str
    sequence: int
    digest: str
    confirmed_at: int

    def check(self, content: BundleContent, payload: str) -> None:
        """Refuse what may not follow the newest that was accepted; the same one may.

        Raises:
            BundleError: `bundle.other_tenant`, `bundle.older`, `bundle.forked`.
        """
        if content.tenant_id != self.tenant_id:
            raise BundleError("bundle.other_tenant", "the bundle is another tenant's")
        if content.sequence < self.sequence:
            raise BundleError(
                "bundle.older",
                f"bundle {content.sequence} is older than bundle {self.sequence}, which was "
                "accepted before",
            )
        if content.sequence == self.sequence and digest_of(payload) != self.digest:
            raise BundleError(
                "bundle.forked",
                f"there are two different bundles with the number {content.sequence}",
            )


def check_key_id(key_id: str, public_key: str) -> None:
    """Say it clearly when the control plane signs by another key than the trusted one.

    Raises:
        BundleError: `bundle.key_changed`.
    """
    trusted = key_id_of(parse_public_key(public_key))
    if key_id != trusted:
        raise BundleError(
            "bundle.key_changed",
            f"the bundle is signed by the key `{key_id}`, and `{trusted}` is trusted; if this is "
            "meant, set CHECKREIN_BUNDLE_PUBLIC_KEY to the new key",
        )


def digest_of(payload: str) -> str:
    """The digest of a payload, by which it is known again."""
    return hashlib.sha256(payload.encode("utf-8", "surrogatepass")).hexdigest()


def load_trust(path: Path) -> Trust | None:
    """What was remembered; None before the first bundle.

    Raises:
        ConfigurationError: `bundle.trust_unreadable`. Starting anew would trust anybody.
    """
    try:
        text = load_kept(path)
        if text is None:
            return None
        kept = json.loads(text)
        trust = Trust(
            str(kept["publicKey"]),
            str(kept["tenantId"]),
            int(kept["sequence"]),
            str(kept["digest"]),
            int(kept["confirmedAt"]),
        )
        parse_public_key(trust.public_key)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, BundleError) as error:
        problem = Problem(
            str(path), 0, 0, "what was trusted can't be read",
            "restore it; or remove it, and the next key that the control plane names is trusted",
        )  # fmt: skip
        raise ConfigurationError("bundle.trust_unreadable", [problem]) from error
    return trust


def store_trust(path: Path, trust: Trust) -> None:
    """Remember it, durably.

    Raises:
        OSError: it is as it was.
    """
    kept = {
        "publicKey": trust.public_key,
        "tenantId": trust.tenant_id,
        "sequence": trust.sequence,
        "digest": trust.digest,
        "confirmedAt": trust.confirmed_at,
    }
    store_kept(path, json.dumps(kept))
