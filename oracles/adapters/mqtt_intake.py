"""What counts as a reading on the bus: the rules, without a socket.

    <prefix>/<meter>/reading   signed line, ".", signature in hex
    <prefix>/<meter>/birth     {"bd":n}   retained; the device is there, in its n-th session
    <prefix>/<meter>/death     {"bd":n}   its last will, sent by the broker

AT LEAST ONCE  QoS 1 may deliver a message again: a reading is passed on once per (meter, seq) and
               content. Another content under a used seq is passed on: it is evidence (see registers).
RETAINED       The broker may hand out an old message at subscription: it is a reading like any other,
               and counted.
REFUSED        Oversize, malformed, unknown meter, a meter that is not the topic's, a signature that
               is not the meter's: counted by reason and dropped, never raised.
DEATH          A death of an earlier session than the last birth is late, and ignored.

Source: session semantics after Eclipse Sparkplug, bdSeq.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable

from oracles.registry import AssetRegistry, MeterSpec
from oracles.schema import MeterReading
from rwa_sim.errors import MalformedReading

Keep = Callable[[MeterReading], object]
MAX_PAYLOAD_BYTES = 1_024
DEFAULT_PREFIX = "meters"
_SESSION = re.compile(rb'\{"bd":(0|[1-9][0-9]{0,17})\}')
_UNKNOWN = object()
_REMEMBERED = 4_096  # readings per meter; an older repetition reaches the register, which knows it too


def encode_reading(reading: MeterReading) -> bytes:
    """Payload of a reading."""
    return reading.raw + b"." + reading.signature.hex().encode("ascii")


def encode_session(number: int) -> bytes:
    """Payload of a birth or death."""
    return f'{{"bd":{number}}}'.encode("ascii")


class MqttIntake:
    """Turns messages into readings; never raises for what a device or stranger sends.

    Args:
        registry: the meters that may speak.
        clock: UTC seconds of receipt.
        prefix: first part of the topics.

    Attributes:
        counts: messages by what became of them.
    """

    def __init__(
        self, registry: AssetRegistry, clock: Callable[[], int], *, prefix: str = DEFAULT_PREFIX
    ) -> None:
        self._registry, self._clock, self.prefix = registry, clock, prefix
        self.counts: Counter[str] = Counter()
        self._known: dict[str, OrderedDict[tuple[int, bytes], object]] = {}
        self._sessions: dict[str, int] = {}
        self._dead: set[str] = set()

    def is_online(self, meter_id: str) -> bool:
        """Whether the meter was born and has not died since."""
        return meter_id in self._sessions and meter_id not in self._dead

    def receive(
        self, topic: str, payload: bytes, *, retained: bool = False, keep: Keep | None = None
    ) -> MeterReading | None:
        """The message's reading if it is one, and new.

        Args:
            keep: called with it; only a reading that was kept is known from then on, so that one
                whose keeping failed is new when it comes again.
        """
        self.counts["retained"] += retained
        try:
            return self._take(topic, payload, keep)
        except _Dropped as dropped:
            self.counts[dropped.reason] += 1
            return None

    def forget(self, readings: Iterable[MeterReading]) -> None:
        """Take back that these are known: they were kept, and then lost."""
        for reading in readings:
            known = self._known.get(reading.meter_id)
            if known is not None and known.pop((reading.seq, reading.raw), _UNKNOWN) is not _UNKNOWN:
                self.counts["readings"] -= 1

    def _take(self, topic: str, payload: bytes, keep: Keep | None) -> MeterReading | None:
        parts = topic.split("/")
        if len(parts) != 3 or parts[0] != self.prefix or parts[2] not in ("reading", "birth", "death"):
            raise _Dropped("wrong topic")
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise _Dropped("oversize")
        spec = self._registry.find(parts[1])
        if spec is None:
            raise _Dropped("unknown meter")
        if parts[2] == "reading":
            return self._reading(spec, payload, keep)
        self._note_session(spec.meter_id, payload, born=parts[2] == "birth")
        return None

    def _reading(self, spec: MeterSpec, payload: bytes, keep: Keep | None) -> MeterReading:
        raw, _, digits = payload.rpartition(b".")
        try:
            signature = bytes.fromhex(digits.decode("ascii"))
            reading = spec.parse(raw, signature, received_at_s=self._clock())
        except (MalformedReading, ValueError):
            raise _Dropped("malformed") from None
        if reading.meter_id != spec.meter_id:
            raise _Dropped("forged meter")
        known = self._known.setdefault(spec.meter_id, OrderedDict())
        if (reading.seq, raw) in known:
            raise _Dropped("repeated")
        if not spec.has_signed(reading):
            raise _Dropped("signature")
        if keep is not None:
            keep(reading)
        known[reading.seq, raw] = None
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
        self.counts["readings"] += 1
        return reading

    def _note_session(self, meter_id: str, payload: bytes, *, born: bool) -> None:
        match = _SESSION.fullmatch(payload)
        if match is None:
            raise _Dropped("malformed")
        number, last = int(match[1]), self._sessions.get(meter_id, -1)
        if number < last or (not born and number != last):
            raise _Dropped("late session")
        self._sessions[meter_id] = number
        (self._dead.discard if born else self._dead.add)(meter_id)
        self.counts["births" if born else "deaths"] += 1


class _Dropped(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
