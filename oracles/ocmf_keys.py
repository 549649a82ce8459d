"""Signatures of OCMF records, by the names OCMF gives them.

secp256k1 needs no further package, and its signatures can be turned into r || s || v: then a
contract checks the record with the sha256 precompile and ``ecrecover``, with no new curve. The
other curves are those of `cryptography`.

Source: Open Charge Metering Format, table of signature algorithms; SEC 1 (points, DER signatures).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

from coincurve import PublicKey

from oracles.keys import SecretKey, parse_public_key
from oracles.ocmf import DEFAULT_ALGORITHM, HEADER, OcmfRecord
from rwa_sim.errors import ExtraMissing, InputError, UnknownName

SECP256K1 = "ECDSA-secp256k1-SHA256"
_CRYPTOGRAPHY_CURVES = {
    DEFAULT_ALGORITHM: "SECP256R1",
    "ECDSA-secp192r1-SHA256": "SECP192R1",
    "ECDSA-secp384r1-SHA256": "SECP384R1",
    "ECDSA-brainpool256r1-SHA256": "BrainpoolP256R1",
    "ECDSA-brainpool384r1-SHA256": "BrainpoolP384R1",
}
SUPPORTED = (SECP256K1, *_CRYPTOGRAPHY_CURVES)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def is_record_signed(record: OcmfRecord, public_key: bytes) -> bool:
    """Whether the payload's bytes carry the signature of `public_key`.

    Args:
        public_key: point of SEC 1 (33 or 65 bytes on 256-bit curves), from the registry, never
            from the record.

    Raises:
        UnknownName: an algorithm that is not supported; names it.
        InputError: bytes that are no point of the curve.
        ExtraMissing: `cryptography` is needed and not installed.
    """
    if record.algorithm == SECP256K1:
        return chain_signature(record, public_key) is not None
    name = _CRYPTOGRAPHY_CURVES.get(record.algorithm)
    if name is None:
        raise UnknownName(where="OCMF record", key="SA", got=record.algorithm, known=SUPPORTED)
    ec, hashes, invalid = _cryptography()
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, name)(), public_key)
    except ValueError as error:
        raise InputError(
            where="OCMF record", key="public_key", expected=f"a point of {record.algorithm}"
        ) from error
    try:
        point.verify(record.signature, record.payload, ec.ECDSA(hashes.SHA256()))
    except invalid:
        return False
    return True


def chain_signature(record: OcmfRecord, public_key: bytes) -> bytes | None:
    """r || s || v of a secp256k1 record, as `MeterSpec.has_signed` and ``ecrecover`` take it.

    A high s, which OCMF allows and Ethereum does not, is mirrored. None if the signature is not
    that of `public_key`.

    Raises:
        UnknownName: a record of another curve.
        InputError: bytes that are no point of the curve.
    """
    if record.algorithm != SECP256K1:
        raise UnknownName(where="OCMF record", key="SA", got=record.algorithm, known=(SECP256K1,))
    expected = _point(public_key)
    pair = _parse_der(record.signature)
    if pair is None:
        return None
    r, s = pair
    digest = sha256(record.payload).digest()
    compact = r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")
    return next(
        (compact + bytes((27 + v,)) for v in (0, 1) if _recover(digest, compact, v) == expected), None
    )


@lru_cache(maxsize=16_384)
def _point(public_key: bytes) -> bytes:
    """The compressed form of a point, checked once."""
    compressed: bytes = parse_public_key(public_key, where="OCMF record").format(compressed=True)
    return compressed


def _recover(digest: bytes, compact: bytes, v: int) -> bytes | None:
    """The key whose signature this would be: a signature is a key's exactly if it recovers to it."""
    try:
        key = PublicKey.from_signature_and_message(compact + bytes((v,)), digest, hasher=None)
    except Exception:  # coincurve raises ValueError or a bare Exception for bytes that are no signature
        return None
    compressed: bytes = key.format(compressed=True)
    return compressed


def sign_record(payload: bytes, key: SecretKey) -> bytes:
    """A whole record, signed on secp256k1.

    Raises:
        InputError: a payload that would break the record's sections.
    """
    if b"|" in payload:
        raise InputError(where="OCMF record", key="payload", expected="no | inside a section")
    signature = key.sign(sha256(payload).digest())
    der = _encode_der(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"))
    section = f'{{"SA":"{SECP256K1}","SD":"{der.hex().upper()}"}}'
    return b"|".join((HEADER, payload, section.encode("ascii")))


def _cryptography() -> tuple[Any, Any, type[Exception]]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise ExtraMissing(package="cryptography", extra="ocpp", purpose="OCMF on this curve") from error
    return ec, hashes, InvalidSignature


def _parse_der(data: bytes) -> tuple[int, int] | None:
    """(r, s) of a DER signature in its one encoding, both in the range of secp256k1."""
    if len(data) < 8 or data[0] != 0x30 or data[2] != 0x02:
        return None
    r_end = 4 + data[3]
    r, s = int.from_bytes(data[4:r_end], "big"), int.from_bytes(data[r_end + 2 :], "big")
    in_range = 0 < r < _ORDER and 0 < s < _ORDER
    return (r, s) if in_range and _encode_der(r, s) == data else None


def _encode_der(r: int, s: int) -> bytes:
    parts = b""
    for number in (r, s):
        # One bit more than the number has: a leading one would make it negative.
        digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
        parts += bytes((2, len(digits))) + digits
    return bytes((0x30, len(parts))) + parts
