"""A register was wrong: two parties sign which readings do not count, and what it truly said after them.

Nothing else lowers a watermark. A false value that was accepted, and billed, stands until the truth has
overtaken it; with this record the readings from `from_seq` to `to_seq` are withdrawn, and the meter goes
on from `register_wh` at `at_s`.

OVERLAP    A record whose `to_seq` lies within the readings that a longer-reaching one withdraws says
           nothing more: a wrong correction is corrected by one that reaches further.
TWO SAYING Two records with one `to_seq` that differ cannot both be true, and the second is refused.

Source: design reference for oracles, fault class 32 (governed correction path).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from oracles.exchange import validate_signers
from oracles.keys import SecretKey
from oracles.schema import BORDER
from oracles.wire import validate_names
from rwa_sim.errors import InputError

# Printable ASCII without the two characters that JSON would escape.
_REASON = re.compile(r"[ !#-\[\]-~]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterCorrection:
    """What both parties sign.

    `register_wh` is the register as it is reported, which runs on over rollovers and exchanges.
    `shown_wh` is what the meter itself showed then; None if it showed the same.

    Raises:
        InputError: a name or reason that the signed line cannot carry, a number out of range, or
            readings that end before they begin.
    """

    __pydantic_config__ = BORDER

    meter_id: str
    from_seq: int
    to_seq: int
    at_s: int
    register_wh: int
    reason: str
    shown_wh: int | None = None

    def __post_init__(self) -> None:
        where = f"correction of meter {self.meter_id}"
        validate_names(self.meter_id, "0", where=where)
        for key in ("from_seq", "to_seq", "at_s", "register_wh", "raw_wh"):
            if not 0 <= getattr(self, key) < 2**64:
                raise InputError(where=where, key=key, expected="0 or more", got=str(getattr(self, key)))
        if self.to_seq < self.from_seq:
            raise InputError(
                where=where, key="to_seq", expected=f"{self.from_seq} or more", got=str(self.to_seq)
            )
        if not _REASON.fullmatch(self.reason):
            raise InputError(
                where=where, key="reason", expected='1 to 200 ASCII characters, without " and \\'
            )

    @property
    def raw_wh(self) -> int:
        """What the meter itself showed at the end of the readings."""
        return self.register_wh if self.shown_wh is None else self.shown_wh

    @property
    def line(self) -> bytes:
        """The bytes that are signed: one canonical JSON object, keys in alphabetical order."""
        return (
            f'{{"at":{self.at_s},"from_seq":{self.from_seq},"meter":"{self.meter_id}",'
            f'"reason":"{self.reason}","register_wh":{self.register_wh},"shown_wh":{self.raw_wh},'
            f'"to_seq":{self.to_seq}}}'
        ).encode("ascii")

    @property
    def digest(self) -> bytes:
        """sha256 of the line."""
        return sha256(self.line).digest()

    def withdraws(self, seq: int) -> bool:
        """Whether the reading of that number does not count."""
        return self.from_seq <= seq <= self.to_seq


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCorrection:
    """A record and the signatures (r || s || v) it has."""

    __pydantic_config__ = BORDER

    record: MeterCorrection
    signatures: tuple[bytes, ...]


def sign_correction(record: MeterCorrection, *parties: SecretKey) -> SignedCorrection:
    """The record with the parties' signatures."""
    return SignedCorrection(record=record, signatures=tuple(party.sign(record.digest) for party in parties))


def validate_correction(signed: SignedCorrection, parties: Collection[str]) -> None:
    """Check that two different ones of the named parties have signed.

    Args:
        parties: addresses that may sign, those of an exchange (`MeterSpec.exchange_parties`).

    Raises:
        MalformedReading: a signature of a stranger, or fewer than two signers.
    """
    where = f"correction of meter {signed.record.meter_id}"
    validate_signers(signed.record.digest, signed.signatures, parties, where=where)
