"""A meter is replaced: two parties sign where the old register ended and where the new one begins.

Without this record a new meter's low register is a drop, and nothing is accepted: an exchange is
never inferred. With it, the energy so far is the old meter's up to `final_wh`, and from then on the
new meter's above `initial_wh`.

Source: OCMF, meter state X (serial number no longer matches the last known one).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from oracles.keys import SecretKey, parse_public_key, recover_address
from oracles.schema import BORDER
from oracles.wire import validate_names
from rwa_sim.errors import InputError, MalformedReading

SIGNATURES_NEEDED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterExchange:
    """What both parties sign. Readings from number `first_seq` on are the new meter's, by its key.

    Raises:
        InputError: a name that the signed line cannot carry, a negative number, a key that is no
            point, or one serial for both meters.
    """

    __pydantic_config__ = BORDER

    meter_id: str
    old_serial: str
    final_wh: int
    new_serial: str
    initial_wh: int
    first_seq: int
    at_s: int
    new_public_key: bytes

    def __post_init__(self) -> None:
        where = f"exchange of meter {self.meter_id}"
        validate_names(self.meter_id, "0", where=where)
        for serial in (self.old_serial, self.new_serial):
            validate_names(serial, "0", where=where)
        if self.old_serial == self.new_serial:
            raise InputError(where=where, key="new_serial", expected=f"another than {self.old_serial}")
        for key in ("final_wh", "initial_wh", "first_seq", "at_s"):
            if not 0 <= getattr(self, key) < 2**64:
                raise InputError(where=where, key=key, expected="0 or more", got=str(getattr(self, key)))
        parse_public_key(self.new_public_key, where=where)

    @property
    def line(self) -> bytes:
        """The bytes that are signed: one canonical JSON object, keys in alphabetical order."""
        return (
            f'{{"at":{self.at_s},"final_wh":{self.final_wh},"first_seq":{self.first_seq},'
            f'"initial_wh":{self.initial_wh},"key":"{self.new_public_key.hex()}","meter":"{self.meter_id}",'
            f'"new":"{self.new_serial}","old":"{self.old_serial}"}}'
        ).encode("ascii")

    @property
    def digest(self) -> bytes:
        """sha256 of the line."""
        return sha256(self.line).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedExchange:
    """A record and the signatures (r || s || v) it has."""

    __pydantic_config__ = BORDER

    record: MeterExchange
    signatures: tuple[bytes, ...]


def sign_exchange(record: MeterExchange, *parties: SecretKey) -> SignedExchange:
    """The record with the parties' signatures."""
    return SignedExchange(record=record, signatures=tuple(party.sign(record.digest) for party in parties))


def validate_exchange(signed: SignedExchange, parties: Collection[str]) -> None:
    """Check that two different ones of the named parties have signed.

    Args:
        parties: addresses that may sign: those of the operator and of whoever checks it.

    Raises:
        MalformedReading: a signature of a stranger, or fewer than two signers.
    """
    where = f"exchange of meter {signed.record.meter_id}"
    validate_signers(signed.record.digest, signed.signatures, parties, where=where)


def validate_signers(
    digest: bytes, signatures: Collection[bytes], parties: Collection[str], *, where: str
) -> None:
    """Check that two different parties have signed a digest, and nobody else.

    Raises:
        MalformedReading: a signature of a stranger, or fewer than two signers.
    """
    signers = {recover_address(digest, signature) for signature in signatures}
    if not signers <= set(parties):
        raise MalformedReading(where=where, key="signatures", expected="those of the named parties only")
    if len(signers) < SIGNATURES_NEEDED:
        raise MalformedReading(
            where=where,
            key="signatures",
            expected=f"{SIGNATURES_NEEDED} different parties",
            got=str(len(signers)),
        )
