"""Which meters speak for which asset, with which key, and what they can physically deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from coincurve import PublicKey

from oracles.config import asset_id_of
from oracles.keys import is_signed_by, parse_public_key
from oracles.ocmf import OcmfRecord, parse_payload, to_reading
from oracles.schema import MeterReading
from oracles.wire import matches_raw, parse_reading, validate_names
from rwa_sim.errors import InputError, MalformedReading

# Energy a plant can deliver beyond its nameplate, in percent of nameplate x time.
# Source: design reference for oracles, rule 1.3(7).
CEILING_PERCENT = 102
SECONDS_PER_HOUR = 3600
BAD_SIGNATURE = "signature"
BAD_FIELDS = "fields differ from the signed bytes"


@lru_cache(maxsize=4_096)  # many meters are alike, and read at the same instants
def ceiling_wh(nameplate_w: int, elapsed_s: int) -> int:
    """Most a register can rise in `elapsed_s`, Wh; 1 Wh more for the register's own rounding down."""
    return nameplate_w * elapsed_s * CEILING_PERCENT // (100 * SECONDS_PER_HOUR) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """One meter, bound to its asset and its key.

    `nameplate_w` is the most power behind the meter, W. `interval_s` is the spacing at which it
    reads. The register stood at `initial_register_wh` at `commissioned_at_s`, and fits in
    `width_bits` bits. Energy is exported (OBIS 2.8.0) unless `obis` says otherwise.
    `exchange_parties` are the addresses that may sign an exchange of the meter; `successors` are the
    keys after each exchange, with the first reading that is the new meter's. A meter with an
    `ocmf_serial` signs OCMF records of that serial instead of our own line. A meter that `checks`
    another, the grid operator's for one, measures the same energy again: it adds nothing to the asset's
    register, it is what the other is compared with.

    Raises:
        InputError: a value out of range, or a public key that is no point.
    """

    meter_id: str
    asset_name: str
    public_key: bytes
    nameplate_w: int
    interval_s: int
    commissioned_at_s: int
    initial_register_wh: int = 0
    obis: str = "2.8.0"
    unit: str = "Wh"
    width_bits: int = 63
    exchange_parties: tuple[str, ...] = ()
    successors: tuple[tuple[int, bytes], ...] = ()
    ocmf_serial: str = ""
    ocmf_context: Literal["T", "F"] = "T"
    checks: str = ""

    def __post_init__(self) -> None:
        where = f"meter {self.meter_id}"
        validate_names(self.meter_id, self.obis, where=where)
        for key in ("nameplate_w", "interval_s"):
            if getattr(self, key) <= 0:
                raise InputError(
                    where=where, key=key, expected="a number above 0", got=str(getattr(self, key))
                )
        if self.unit != "Wh":
            raise InputError(where=where, key="unit", expected="Wh, as the signed line says", got=self.unit)
        if not 1 <= self.width_bits <= 64:
            raise InputError(where=where, key="width_bits", expected="1 to 64", got=str(self.width_bits))
        if not 0 <= self.initial_register_wh < 2**self.width_bits:
            raise InputError(
                where=where, key="initial_register_wh", expected=f"a {self.width_bits}-bit register"
            )
        parse_public_key(self.public_key, where=where)

    def ceiling_wh(self, elapsed_s: int) -> int:
        """Most this register can rise in `elapsed_s`, Wh."""
        return ceiling_wh(self.nameplate_w, elapsed_s)

    def has_signed(self, reading: MeterReading) -> bool:
        """Whether the reading's bytes carry the signature of the meter that made reading `seq`."""
        return _is_signed(self._key_at(reading.seq), reading.raw, reading.signature)

    def fields_match(self, reading: MeterReading) -> bool:
        """Whether the reading's fields are those of its signed bytes."""
        if not self.ocmf_serial:
            return matches_raw(reading)
        try:
            signed = self.parse(reading.raw, reading.signature, received_at_s=reading.received_at_s)
        except MalformedReading:
            return False
        return signed == reading

    def parse(
        self, raw: bytes, signature: bytes, *, received_at_s: int, where: str = "reading"
    ) -> MeterReading:
        """A reading of this meter from its signed bytes, in the form that the meter signs in.

        Raises:
            MalformedReading: the bytes are no reading of such a meter.
        """
        if not self.ocmf_serial:
            return parse_reading(raw, signature, received_at_s=received_at_s, where=where)
        record = OcmfRecord(payload=raw, algorithm="", signature=b"")
        return to_reading(
            record,
            parse_payload(record),
            signature=signature,
            meter_id=self.meter_id,
            meter_serial=self.ocmf_serial,
            obis=self.obis,
            context=self.ocmf_context,
            received_at_s=received_at_s,
        )

    def refusal(self, reading: MeterReading) -> str:
        """Why a reading is not this meter's; "" if it is."""
        if not self.ocmf_serial:
            public_key = self._key_at(reading.seq) if self.successors else self.public_key
            return _refusal(public_key, self.obis, reading)
        if not self.has_signed(reading):
            return BAD_SIGNATURE
        return "" if reading.obis == self.obis and self.fields_match(reading) else BAD_FIELDS

    def succeeded_by(self, first_seq: int, public_key: bytes) -> MeterSpec:
        """This meter, read by another device from reading `first_seq` on."""
        return replace(self, successors=(*self.successors, (first_seq, public_key)))

    def _key_at(self, seq: int) -> bytes:
        keys = [key for first_seq, key in self.successors if first_seq <= seq]
        return keys[-1] if keys else self.public_key


@lru_cache(maxsize=16_384)
def _refusal(public_key: bytes, obis: str, reading: MeterReading) -> str:
    # Shared like `_is_signed`, and asked of the same reading by node after node.
    if not _is_signed(public_key, reading.raw, reading.signature):
        return BAD_SIGNATURE
    return "" if reading.obis == obis and matches_raw(reading) else BAD_FIELDS


@lru_cache(maxsize=16_384)
def _is_signed(public_key: bytes, raw: bytes, signature: bytes) -> bool:
    # Each node asks; nodes in one process share the answer, a pure function of these bytes, as
    # long as they read the same batch. Without this, four nodes verify everything four times.
    return is_signed_by(_point(public_key), sha256(raw).digest(), signature)


@lru_cache(maxsize=16_384)
def _point(public_key: bytes) -> PublicKey:
    return parse_public_key(public_key, where="meter")


class AssetRegistry:
    """The meters of all assets.

    Raises:
        InputError: two meters with one name, or one key, or a meter that checks none of its asset, or one
            that checks another itself.
    """

    def __init__(self, meters: Iterable[MeterSpec]) -> None:
        self._by_id: dict[str, MeterSpec] = {}
        self._keys: set[bytes] = set()
        for meter in meters:
            compressed = _point(meter.public_key).format(compressed=True)
            if meter.meter_id in self._by_id or compressed in self._keys:
                raise InputError(
                    where=f"meter {meter.meter_id}",
                    key="meter_id, public_key",
                    expected="used by one meter only",
                )
            self._by_id[meter.meter_id] = meter
            self._keys.add(compressed)
        for meter in self._by_id.values():
            if meter.checks:
                self._validate_check(meter)

    def _validate_check(self, check: MeterSpec) -> None:
        checked = self._by_id.get(check.checks)
        if checked is None or checked.checks or checked.asset_name != check.asset_name:
            raise InputError(
                where=f"meter {check.meter_id}",
                key="checks",
                expected="a meter of the same asset that checks none itself",
                got=repr(check.checks),
            )

    def find(self, meter_id: str) -> MeterSpec | None:
        """The meter of that name, None if nobody registered it."""
        return self._by_id.get(meter_id)

    def succeed(self, meter_id: str, first_seq: int, public_key: bytes) -> None:
        """Take note of an exchange whose record was validated.

        Raises:
            InputError: an unknown meter, or a key in use.
        """
        spec = self._by_id.get(meter_id)
        compressed = _point(public_key).format(compressed=True)
        if spec is None or compressed in self._keys:
            raise InputError(
                where=f"meter {meter_id}",
                key="public_key",
                expected="a registered meter, and a key of its own",
            )
        self._keys.add(compressed)
        self._by_id[meter_id] = spec.succeeded_by(first_seq, public_key)

    def meters_of(self, asset_id: bytes) -> tuple[MeterSpec, ...]:
        """All meters of an asset, by name."""
        mine = (meter for meter in self._by_id.values() if asset_id_of(meter.asset_name) == asset_id)
        return tuple(sorted(mine, key=lambda meter: meter.meter_id))
