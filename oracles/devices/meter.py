"""A meter that signs its register.

For a replayed series no meter key ever existed: there the gateway at the plant holds this key
and signs what the logger recorded, from the moment the record reaches it. The signature then
proves that nothing changed after the gateway, and says nothing about the logger before it.
"""

from __future__ import annotations

from hashlib import sha256

from oracles.keys import SecretKey
from oracles.schema import MeterReading, Quality, TimeSync
from oracles.wire import encode_line, validate_names


class DeviceMeter:
    """Turns (instant, register) into signed readings, counting them from `first_seq`.

    The key signs sha256(raw) on secp256k1, so a contract can check a reading with the sha256
    precompile and ``ecrecover``.

    Raises:
        InputError: a name that the signed line cannot carry, or a malformed key.
    """

    def __init__(
        self, key: bytes | SecretKey, *, meter_id: str, obis: str = "2.8.0", first_seq: int = 1
    ) -> None:
        validate_names(meter_id, obis, where="meter")
        self._key = key if isinstance(key, SecretKey) else SecretKey(key)
        self.meter_id, self.obis = meter_id, obis
        self._next_seq = first_seq

    @property
    def public_key(self) -> bytes:
        """Compressed public key, 33 bytes, for the registry."""
        return self._key.public_key

    def read(
        self,
        read_at_s: int,
        register_wh: int,
        *,
        received_at_s: int | None = None,
        quality: Quality = Quality.MEASURED,
        time_sync: TimeSync = TimeSync.SYNCHRONISED,
    ) -> MeterReading:
        """Sign the next reading. It is received in the second it is read unless said otherwise."""
        seq = self._next_seq
        self._next_seq += 1
        raw = encode_line(self.meter_id, self.obis, seq, read_at_s, register_wh, quality, time_sync)
        return MeterReading(
            meter_id=self.meter_id,
            obis=self.obis,
            seq=seq,
            read_at_s=read_at_s,
            received_at_s=read_at_s if received_at_s is None else received_at_s,
            register_wh=register_wh,
            quality=quality,
            time_sync=time_sync,
            raw=raw,
            signature=self._key.sign(sha256(raw).digest()),
        )

    def __repr__(self) -> str:
        return f"DeviceMeter({self.meter_id}, {self._key.address})"
