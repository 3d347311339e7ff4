"""What a file says of its own origin: its C2PA manifest, checked on this machine alone."""

import io
import json
from pathlib import Path
from typing import Any

from metaforge.data.images import one_line
from metaforge.errors import InputError, printable
from metaforge.screening.verdicts.record import Provenance

MISSING = "c2pa-python is not installed. Install the extra: pip install 'metaforge-jax[provenance]'."
"""What is said without it."""

NONE = "the file has no manifest"
"""What is said of most files."""

_TRUSTED = "signed by somebody on the trust list, and unchanged since"
_VALID = "signed, and unchanged since; nobody vouches for who signed"
_BROKEN = ("Verify", "Signature", "Assertion", "AssertionNotFound", "Decoding", "Manifest", "Json")
"""The library's errors that say that there is a manifest, and that it is none."""


def read_provenance(asset: bytes | Path, *, trust: str = "") -> Provenance:
    """The validation state, source type and signer of a file's active manifest; nothing is raised, whatever it is.

    The library (c2pa-python, the extra `provenance`) checks the signature, and that the bytes are those that were
    signed. Nothing is fetched: neither a manifest that lies elsewhere, nor whether a certificate was revoked. A
    signature says who said so, and not that it is so; a file without one is no less real.

    Args:
        asset: the bytes of a picture, or the place of a video.

    Other Arguments:
        trust: certificates, in PEM, of those whose signatures are trusted; without them nothing is "trusted".

    Example:
        >>> read_provenance(b"").state
        'not available'

    References:
        *Content Credentials: C2PA Technical Specification*, section 14.3 (validation states); <https://c2pa.org>.
        Digital source types: IPTC, <https://cv.iptc.org/newscodes/digitalsourcetype/>
    """
    try:
        import c2pa
    except ImportError:
        return _none(MISSING)
    except Exception as error:  # noqa: BLE001 - its native part may lack here
        return _none(f"c2pa-python cannot be loaded ({one_line(error)}).")
    try:
        with io.BytesIO(asset) if isinstance(asset, bytes) else asset.open("rb") as stream:
            reader = c2pa.Reader.try_create(None, stream, None, _context(c2pa, trust))
            if reader is None:
                return _none(NONE)
            with reader:
                return _told(json.loads(reader.json()), str(reader.get_validation_state()))
    except c2pa.C2paError as error:
        return _refused(error)
    except Exception as error:  # noqa: BLE001 - what a stranger signed may have any form
        return _none(f"it cannot be read ({type(error).__name__}: {one_line(error)}).")


def read_trust(path: str) -> str:
    """The certificates of a trust list.

    Args:
        path: a file in PEM.

    Raises:
        InputError: if it cannot be read or holds none.

    Example:
        >>> read_trust("nowhere.pem")
        Traceback (most recent call last):
        metaforge.errors.InputError: trust: 'nowhere.pem' cannot be read (No such file or ...). Give a file in PEM.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"trust: '{printable(path)}' cannot be read ({why}). Give a file in PEM.") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise InputError(f"trust: '{printable(path)}' holds no certificate. Give a file in PEM.")
    return text


def _context(c2pa: Any, trust: str) -> Any:
    asked: dict[str, Any] = {"verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
    if trust:
        asked["trust"] = {"trust_anchors": trust}
    return c2pa.Context(c2pa.Settings.from_dict(asked))


def _told(found: dict[str, Any], state: str) -> Provenance:
    manifests = found.get("manifests", {})
    active = manifests.get(found.get("active_manifest"), {})
    signed = active.get("signature_info") or {}
    names = [_short(signed[key]) for key in ("common_name", "issuer") if signed.get(key)]
    signer = f"{names[0]} ({names[1]})" if names[1:] else "".join(names)
    own = _source_types(active)
    if state == "Invalid":
        codes = [each.get("code", "") for each in found.get("validation_status") or []]
        wrong = [_short(code) for code in codes if code != "signingCredential.untrusted"] or ["not said why"]
        return Provenance("invalid", (own or [""])[0], signer, f"the manifest does not fit the file: {wrong[0]}")
    detail = _TRUSTED if state == "Trusted" else _VALID
    others = {kind for each in manifests.values() if each is not active for kind in _source_types(each)} - {*own}
    if others:
        detail += f"; made from something that is said to be {', '.join(sorted(others))}"
    return Provenance("trusted" if state == "Trusted" else "valid", (own or [""])[0], signer, detail)


def _source_types(manifest: dict[str, Any]) -> list[str]:
    """The digital source types that a manifest's actions name, that of its making first."""
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in (assertion.get("data") or {}).get("actions", [])
        if action.get("digitalSourceType")
    ]
    actions.sort(key=lambda action: action.get("action") != "c2pa.created")
    return [_short(str(action["digitalSourceType"]).rstrip("/").rsplit("/", 1)[-1]) for action in actions]


def _refused(error: Exception) -> Provenance:
    said = one_line(error)
    kind, _, rest = said.partition(": ")
    if kind in _BROKEN:
        return Provenance("invalid", "", "", f"the manifest is broken: {rest}")
    if kind in ("ManifestNotFound", "NotSupported"):
        return _none(NONE if kind == "ManifestNotFound" else "files of this kind carry no manifest")
    if "remote manifest" in rest:
        return _none(f"its manifest lies elsewhere and is not fetched: {rest.rsplit(' ', 1)[-1]}")
    return _none(f"it cannot be read ({said})")


def _none(detail: str) -> Provenance:
    return Provenance("not available", "", "", detail)


def _short(text: Any) -> str:
    return printable(" ".join(str(text).split()))[:100]
