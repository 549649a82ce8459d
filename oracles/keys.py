"""secp256k1 keys of devices and nodes: sign, verify, recover. A secret is never shown."""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey
from eth_utils.address import to_checksum_address

from oracles.hashing import keccak
from rwa_sim.errors import InputError

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER // 2
_RECOVERY_OFFSET = 27  # v as `ecrecover` expects it: 27 or 28
SIGNATURE_BYTES = 65  # r || s || v


class SecretKey:
    """A signing key that shows only its address."""

    __slots__ = ("_key", "address", "public_key")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < _ORDER:
            raise InputError(where="signing key", expected="32 bytes, in the range of secp256k1")
        self._key = PrivateKey(secret)
        self.public_key: bytes = self._key.public_key.format(compressed=True)
        self.address: str = address_of(self._key.public_key)

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: r || s || v, low s, v in {27, 28}, deterministic (RFC 6979)."""
        compact = self._key.sign_recoverable(digest, hasher=None)
        return compact[:64] + bytes((compact[64] + _RECOVERY_OFFSET,))

    def for_transactions(self) -> bytes:
        """The secret itself, for the one library that signs chain transactions; for nothing else."""
        return self._key.secret

    def __repr__(self) -> str:
        return f"SecretKey({self.address})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key is not serialised")


def address_of(public_key: PublicKey) -> str:
    """Checksummed Ethereum address of a public key."""
    return to_checksum_address(keccak(public_key.format(compressed=False)[1:])[-20:])


def parse_public_key(data: bytes, *, where: str) -> PublicKey:
    """A point from its 33 or 65 bytes.

    Raises:
        InputError: the bytes are no point of the curve.
    """
    try:
        return PublicKey(data)
    except ValueError as error:
        raise InputError(where=where, key="public_key", expected="a secp256k1 point") from error


def is_signed_by(public_key: PublicKey, digest: bytes, signature: bytes) -> bool:
    """Whether `signature` (r || s || v) over `digest` is `public_key`'s, in its one canonical form."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return False
    try:
        # libsecp256k1 refuses a high s, so the mirrored signature fails as well.
        return bool(public_key.verify(_to_der(signature), digest, hasher=None))
    except ValueError:
        return False


def recover_address(digest: bytes, signature: bytes) -> str | None:
    """Signer of `digest` as ``ecrecover`` would name it; None if malformed or malleable."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    compact = signature[:64] + bytes((signature[64] - _RECOVERY_OFFSET,))
    try:
        return address_of(PublicKey.from_signature_and_message(compact, digest, hasher=None))
    except Exception:  # coincurve raises ValueError or a bare Exception for bytes that are no signature
        return None


def _to_der(signature: bytes) -> bytes:
    body = _der_integer(signature[:32]) + _der_integer(signature[32:64])
    return b"\x30" + bytes((len(body),)) + body


def _der_integer(big_endian: bytes) -> bytes:
    digits = big_endian.lstrip(b"\0") or b"\0"
    if digits[0] & 0x80:
        digits = b"\0" + digits
    return b"\x02" + bytes((len(digits),)) + digits
