"""C2PA: small pictures that are signed here by a chain made here, and what is said of each."""

import datetime
import io
import json
import socket
import sys

import pytest
from PIL import Image

from metaforge.errors import InputError
from metaforge.screening.verdicts.provenance import MISSING, NONE, read_provenance, read_trust
from metaforge.screening.verdicts.record import Provenance

c2pa = pytest.importorskip("c2pa")
BASE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.fixture(scope="module")
def chain():
    """A root, a certificate below it (both in PEM), and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    named = lambda common: x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An organisation"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip
    uses = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    since, made = datetime.datetime(2026, 1, 1), []
    for number, (name, use) in enumerate((("A root", "key_cert_sign"), ("A camera", "digital_signature"))):
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("A root"))
        builder = builder.public_key(keys[number].public_key()).serial_number(number + 1)
        builder = builder.not_valid_before(since).not_valid_after(since.replace(year=2046))
        builder = builder.add_extension(x509.BasicConstraints(number == 0, None), True)
        builder = builder.add_extension(x509.KeyUsage(**{each: each == use for each in uses}), True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[number].public_key()), False)
        if number:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
            builder = builder.add_extension(issuer, False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    key = keys[1].private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return made[0], made[1], key


def picture(form):
    held = io.BytesIO()
    Image.new("RGB", (24, 24), (9, 90, 200)).save(held, form)
    return held.getvalue()


def signed(data, mime, chain, *, source="digitalCapture", url="", parent=None):
    root, leaf, key = chain
    actions = [{"action": "c2pa.created", "digitalSourceType": BASE + source}] if source else []
    if parent:
        actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["first"]}}]
    claim = {"claim_generator_info": [{"name": "a test", "version": "1"}], "format": mime,
             "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}]}  # fmt: skip
    builder, held = c2pa.Builder(json.dumps(claim)), io.BytesIO()
    if parent:
        told = json.dumps({"title": "before", "relationship": "parentOf", "label": "first"})
        builder.add_ingredient(told, mime, io.BytesIO(parent))
    if url:
        builder.set_no_embed()
        builder.set_remote_url(url)
    builder.sign(c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", leaf + root, key, None)), mime, io.BytesIO(data),
                 held)  # fmt: skip
    return held.getvalue()


@pytest.mark.parametrize(("form", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_what_is_signed_is_valid_and_by_the_list_trusted(chain, form, mime):
    data = signed(picture(form), mime, chain, source="trainedAlgorithmicMedia")
    found = read_provenance(data)
    assert found[:3] == ("valid", "trainedAlgorithmicMedia", "A camera (An organisation)")
    assert "nobody vouches" in found.detail
    assert read_provenance(data, trust=chain[0].decode()).state == "trusted"


def test_one_byte_that_was_changed_is_found(chain):
    data = bytearray(signed(picture("JPEG"), "image/jpeg", chain))
    data[-20] ^= 1
    found = read_provenance(bytes(data), trust=chain[0].decode())
    assert found[:3] == ("invalid", "digitalCapture", "A camera (An organisation)")
    assert "assertion.dataHash.mismatch" in found.detail


def test_a_manifest_that_is_broken_is_invalid(chain):
    data = bytearray(signed(picture("JPEG"), "image/jpeg", chain))
    data[data.index(b"jumd") + 1] ^= 1
    assert read_provenance(bytes(data)).state == "invalid"


def test_what_it_was_made_from_is_told(chain):
    first = signed(picture("JPEG"), "image/jpeg", chain, source="trainedAlgorithmicMedia")
    found = read_provenance(signed(picture("JPEG"), "image/jpeg", chain, source="", parent=first))
    assert (found.state, found.source_type) == ("valid", "")
    assert found.detail.endswith("made from something that is said to be trainedAlgorithmicMedia")


@pytest.mark.parametrize(("data", "detail"), [
    (picture("JPEG"), NONE), (picture("PNG"), NONE), (b"", "files of this kind"), (b"no image", "files of this kind"),
    (picture("JPEG")[:100], "cannot be read"),
])  # fmt: skip
def test_without_a_manifest_it_is_not_available(data, detail):
    found = read_provenance(data)
    assert found[:3] == ("not available", "", "")
    assert detail in found.detail


def test_a_manifest_elsewhere_is_never_fetched(chain):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.c2pa"
        found = read_provenance(signed(picture("JPEG"), "image/jpeg", chain, url=url))
        assert found == Provenance("not available", "", "", f"its manifest lies elsewhere and is not fetched: {url}")
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()


def test_a_file_is_read_from_its_place(chain, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(signed(picture("JPEG"), "image/jpeg", chain))
    assert read_provenance(file) == read_provenance(file.read_bytes())
    assert read_provenance(tmp_path / "nowhere.mp4").state == "not available"


def test_without_the_package_that_is_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert read_provenance(picture("JPEG")) == Provenance("not available", "", "", MISSING)


def test_a_trust_list_is_checked_before_the_work(chain, tmp_path):
    (tmp_path / "good.pem").write_bytes(chain[0])
    (tmp_path / "bad.pem").write_text("no certificate", encoding="utf-8")
    assert read_trust(str(tmp_path / "good.pem")) == chain[0].decode()
    with pytest.raises(InputError, match="holds no certificate"):
        read_trust(str(tmp_path / "bad.pem"))
