"""What charging stations report, as readings of one register per connector; no socket here.

POLICY     OCPP does not say whether a station's register starts anew with each transaction. The
           configuration says it, per connector: LIFETIME, as reported; or PER_SESSION, added up. It
           is never inferred from the values.
SIGNED     Where the configuration names an OCMF key, only values signed with it count, over their raw
           bytes; the key that the station sends along is ignored. Otherwise the gateway signs what it
           received, and its signature says nothing about the station.
UNITS      Wh unless the value says kWh; a multiplier counts. Fractions of a watt-hour are rounded down.
REPEATED   A message told again (same transaction and number, or same content) counts once.

Source: OCPP 2.0.1 part 2, SampledValueType, UnitOfMeasureType, TransactionEvent seqNo; OCPP 1.6,
SampledValue. A JSON number passed the protocol library as a binary float: the shortest decimal that
reads the same is taken, which is what the station wrote up to 15 digits.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction

from oracles.devices.meter import DeviceMeter
from oracles.ocmf import parse_payload, parse_record, to_reading
from oracles.ocmf_keys import SECP256K1, chain_signature
from oracles.schema import MeterReading
from rwa_sim.errors import MalformedReading

ENERGY = "Energy.Active.Import.Register"
Keep = Callable[[MeterReading], None]
_WH_PER_UNIT = {"Wh": 1, "kWh": 1_000}
_REMEMBERED = 4_096
_LIMIT_WH = 2**63


class RegisterPolicy(StrEnum):
    """How a connector's register runs."""

    LIFETIME = "lifetime"
    PER_SESSION = "per_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class OcmfMeter:
    """Key and serial of a meter that signs by itself, from the registry."""

    public_key: bytes
    serial: str
    obis: str = "1.8.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledEnergy:
    """One energy value of a message. `signed` is an OCMF record, b"" if there is none."""

    at: str
    value: str
    unit: str = "Wh"
    multiplier: int = 0
    signed: bytes = b""


class ConnectorMeter:
    """The register of one connector.

    Args:
        gateway: signs what is not signed by the meter itself; it numbers the readings.
        policy: how the station's register runs.
        clock: UTC seconds of receipt.
        ocmf: the meter's own key, if it has one.
        total_wh: energy of the sessions before this one, for PER_SESSION.

    Attributes:
        counts: values by what became of them.
    """

    def __init__(
        self,
        gateway: DeviceMeter,
        *,
        policy: RegisterPolicy,
        clock: Callable[[], int],
        ocmf: OcmfMeter | None = None,
        total_wh: int = 0,
    ) -> None:
        self._gateway, self._policy, self._clock, self._ocmf = gateway, policy, clock, ocmf
        self.counts: Counter[str] = Counter()
        self.total_wh = total_wh
        self._session = ""
        self._session_wh = 0
        self._past_sessions: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def take(self, transaction: str, number: Hashable, values: Iterable[SampledEnergy], keep: Keep) -> None:
        """Take in the energy values of one message, and hand on their readings.

        Args:
            transaction: the station's transaction, "" outside of any.
            number: tells this message from others of the transaction.
            keep: called with each reading before the message counts as known.
        """
        key = (transaction, number)
        if key in self._known:
            self.counts["repeated"] += 1
            return
        for value in values:
            try:
                keep(self._reading(transaction, value))
            except _Dropped as dropped:
                self.counts[dropped.reason] += 1
            else:
                self.counts["readings"] += 1
        _remember(self._known, key)

    def _reading(self, transaction: str, value: SampledEnergy) -> MeterReading:
        if self._ocmf is not None:
            return self._signed(value.signed, self._ocmf)
        at_s, register_wh = _instant_s(value.at), _wh_down(value)
        if self._policy is RegisterPolicy.PER_SESSION:
            register_wh = self._add_up(transaction, register_wh)
        return self._gateway.read(at_s, register_wh, received_at_s=self._clock())

    def _add_up(self, transaction: str, session_wh: int) -> int:
        if not transaction:
            raise _Dropped("outside a session")
        if transaction != self._session:
            if transaction in self._past_sessions:
                raise _Dropped("late session")
            _remember(self._past_sessions, self._session)
            self.total_wh += self._session_wh
            self._session, self._session_wh = transaction, 0
        self._session_wh = max(self._session_wh, session_wh)
        return self.total_wh + session_wh

    def _signed(self, data: bytes, ocmf: OcmfMeter) -> MeterReading:
        if not data:
            raise _Dropped("unsigned")
        try:
            record = parse_record(data)
            signature = chain_signature(record, ocmf.public_key) if record.algorithm == SECP256K1 else None
            if signature is None:
                raise _Dropped("signature")
            return to_reading(
                record,
                parse_payload(record),
                signature=signature,
                meter_id=self._gateway.meter_id,
                meter_serial=ocmf.serial,
                obis=ocmf.obis,
                context="T",
                received_at_s=self._clock(),
            )
        except MalformedReading:
            raise _Dropped("malformed") from None


def decode_signed(text: str, encoding: str) -> bytes:
    """An OCMF record from a signed meter value of OCPP 2.0.1; b"" if it is of another encoding."""
    if encoding.upper() != "OCMF":
        return b""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b"not base64"


class _Dropped(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _instant_s(text: str) -> int:
    try:
        stamp = datetime.fromisoformat(text)
        if stamp.tzinfo is None:
            raise ValueError
        return int(stamp.timestamp())
    except (ValueError, OverflowError):
        raise _Dropped("timestamp") from None


def _wh_down(value: SampledEnergy) -> int:
    try:
        number = Decimal(value.value)
    except InvalidOperation:
        raise _Dropped("malformed") from None
    bounded = number.is_finite() and -18 <= int(number.as_tuple().exponent) <= 18
    if not bounded or value.unit not in _WH_PER_UNIT or not -9 <= value.multiplier <= 9:
        raise _Dropped("malformed")
    register = Fraction(number) * _WH_PER_UNIT[value.unit] * Fraction(10) ** value.multiplier
    if number < 0:
        raise _Dropped("negative")
    if register >= _LIMIT_WH:
        raise _Dropped("malformed")
    return int(register)


def _remember(known: OrderedDict[Hashable, None] | OrderedDict[str, None], key: Hashable) -> None:
    known[key] = None  # type: ignore[index]
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
