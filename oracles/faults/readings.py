"""Faults of devices and of the way to the node, on streams of signed readings.

A fault of the device is signed by the device: the register or the clock is wrong and the signature is
right. A fault of the transport leaves the signature as it was, and what it covers is changed or gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any, Protocol

from oracles.keys import SecretKey
from oracles.schema import MeterReading, Quality
from oracles.wire import encode_line

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_PERCENT = 100
DAY_S = 86_400

# ── device ─────────────────────────────────────────────────────────────────


class Signing(Protocol):
    """What signs: a device's key, or a stand-in where nobody looks at signatures."""

    def sign(self, digest: bytes) -> bytes:
        """The signature of a digest."""


def resigned(reading: MeterReading, key: Signing, **changes: Any) -> MeterReading:
    """The reading with other fields, signed anew by the device."""
    changed = replace(reading, **changes)
    raw = encode_line(
        changed.meter_id,
        changed.obis,
        changed.seq,
        changed.read_at_s,
        changed.register_wh,
        changed.quality,
        changed.time_sync,
    )
    return replace(changed, raw=raw, signature=key.sign(sha256(raw).digest()))


def stuck(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, end_s: int
) -> Iterator[MeterReading]:
    """The register stands still over (start, end], and then says the truth again."""
    last_wh = 0
    for reading in readings:
        if start_s < reading.read_at_s <= end_s:
            yield resigned(reading, key, register_wh=last_wh)
        else:
            last_wh = reading.register_wh
            yield reading


def spike(
    readings: Iterable[MeterReading], *, key: SecretKey, at_s: int, factor: int
) -> Iterator[MeterReading]:
    """One reading is `factor` times the register."""
    for reading in readings:
        is_hit = reading.read_at_s == at_s
        yield resigned(reading, key, register_wh=reading.register_wh * factor) if is_hit else reading


def raised(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, end_s: int, by_wh: int
) -> Iterator[MeterReading]:
    """The readings of (start, end] say `by_wh` more than the register."""
    for reading in readings:
        is_hit = start_s < reading.read_at_s <= end_s
        yield resigned(reading, key, register_wh=reading.register_wh + by_wh) if is_hit else reading


def zero_at(
    readings: Iterable[MeterReading], *, key: SecretKey, second_of_day: int
) -> Iterator[MeterReading]:
    """Every night, at one second of the UTC day, the register says 0."""
    for reading in readings:
        is_hit = reading.read_at_s % DAY_S == second_of_day
        yield resigned(reading, key, register_wh=0) if is_hit else reading


def wrong_unit(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, times: int = 1, per: int = 1
) -> Iterator[MeterReading]:
    """After an instant the register is in another unit: `times` 1000 for kWh said in Wh, `per` 1000 back."""
    for reading in readings:
        is_hit = reading.read_at_s > start_s
        yield resigned(reading, key, register_wh=reading.register_wh * times // per) if is_hit else reading


def rolled_over(
    readings: Iterable[MeterReading], *, key: SecretKey, width_bits: int, first_wh: int
) -> Iterator[MeterReading]:
    """The register began at `first_wh` and starts again at 0 at the end of its width."""
    for reading in readings:
        yield resigned(reading, key, register_wh=(reading.register_wh + first_wh) % 2**width_bits)


def exchanged(
    readings: Iterable[MeterReading], *, key: SecretKey, first_seq: int, initial_wh: int
) -> Iterator[MeterReading]:
    """From reading `first_seq` on another device, by its own key, from its own register on."""
    base_wh = 0
    for reading in readings:
        if reading.seq < first_seq:
            base_wh = reading.register_wh
            yield reading
        else:
            yield resigned(reading, key, register_wh=reading.register_wh - base_wh + initial_wh)


def clock_drift(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, drift_s: int, most_s: int
) -> Iterator[MeterReading]:
    """The device's clock goes wrong by `drift_s` more with each reading, up to `most_s`."""
    off_s = 0
    for reading in readings:
        if reading.read_at_s <= start_s:
            yield reading
            continue
        off_s = max(-most_s, min(most_s, off_s + drift_s))
        yield resigned(reading, key, read_at_s=reading.read_at_s + off_s)


def clock_lost(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, end_s: int, to_s: int
) -> Iterator[MeterReading]:
    """Over (start, end] the clock runs from `to_s` on, as after a battery has failed."""
    for reading in readings:
        is_hit = start_s < reading.read_at_s <= end_s
        yield resigned(reading, key, read_at_s=to_s + reading.read_at_s - start_s) if is_hit else reading


def conflicting(
    readings: Iterable[MeterReading], *, key: SecretKey, rng: Random, percent: int, by_wh: int
) -> Iterator[MeterReading]:
    """Some readings come twice under one number, the second one `by_wh` higher."""
    for reading in readings:
        yield reading
        if rng.randrange(_PERCENT) < percent:
            yield resigned(reading, key, register_wh=reading.register_wh + by_wh)


def imputed(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, end_s: int, step_wh: int = 0
) -> Iterator[MeterReading]:
    """Over (start, end] the logger fills in: the last value, `step_wh` more each time, marked substitute."""
    last_wh = 0
    for reading in readings:
        if start_s < reading.read_at_s <= end_s:
            last_wh += step_wh
            yield resigned(reading, key, register_wh=last_wh, quality=Quality.SUBSTITUTE)
        else:
            last_wh = reading.register_wh
            yield reading


def fallen(
    readings: Iterable[MeterReading], *, key: SecretKey, start_s: int, end_s: int, by_wh: int
) -> Iterator[MeterReading]:
    """The readings of (start, end] say `by_wh` less, at least 0: a session that starts below zero."""
    for reading in readings:
        is_hit = start_s < reading.read_at_s <= end_s
        low_wh = max(0, reading.register_wh - by_wh)
        yield resigned(reading, key, register_wh=low_wh) if is_hit else reading


def inflated(
    readings: Iterable[MeterReading], *, key: Signing, start_s: int, times: int, per: int = _PERCENT
) -> Iterator[MeterReading]:
    """After an instant every rise is `times` / `per` of the true one."""
    base_wh: int | None = None
    last_wh = 0
    for reading in readings:
        if reading.read_at_s <= start_s:
            last_wh = reading.register_wh
            yield reading
            continue
        base_wh = last_wh if base_wh is None else base_wh
        yield resigned(reading, key, register_wh=base_wh + (reading.register_wh - base_wh) * times // per)


def seen_again(
    readings: Iterable[MeterReading], *, key: SecretKey, meter_id: str, error_bps: int
) -> Iterator[MeterReading]:
    """The same energy as a second meter reads it: by its own name and key, and with its own error."""
    for reading in readings:
        seen_wh = reading.register_wh * (10_000 + error_bps) // 10_000
        yield resigned(reading, key, meter_id=meter_id, register_wh=seen_wh)


# ── transport ──────────────────────────────────────────────────────────────


def repeated(readings: Iterable[MeterReading], *, rng: Random, percent: int) -> Iterator[MeterReading]:
    """Some messages come again, once or twice more."""
    for reading in readings:
        yield reading
        if rng.randrange(_PERCENT) < percent:
            yield from [reading] * rng.randint(1, 2)


def shuffled(readings: Iterable[MeterReading], *, rng: Random, window: int) -> Iterator[MeterReading]:
    """Messages overtake each other within blocks of `window`, which arrive with their last one."""
    block: list[MeterReading] = []
    for reading in readings:
        block.append(reading)
        if len(block) == window:
            yield from _shuffled(block, rng)
            block = []
    yield from _shuffled(block, rng)


def _shuffled(block: list[MeterReading], rng: Random) -> list[MeterReading]:
    arrived_s = max((reading.received_at_s for reading in block), default=0)
    rng.shuffle(block)
    return [replace(reading, received_at_s=arrived_s) for reading in block]


def late(
    readings: Iterable[MeterReading], *, start_s: int, end_s: int, delivered_s: int
) -> Iterator[MeterReading]:
    """What was read over (start, end] is delivered at `delivered_s`, after what was read meanwhile."""
    waiting: list[MeterReading] = []
    for reading in readings:
        if start_s < reading.read_at_s <= end_s:
            waiting.append(replace(reading, received_at_s=delivered_s))
            continue
        if waiting and reading.received_at_s >= delivered_s:
            yield from waiting
            waiting = []
        yield reading
    yield from waiting


def lost(
    readings: Iterable[MeterReading], *, rng: Random, percent: int, start_s: int, end_s: int
) -> Iterator[MeterReading]:
    """Some messages of (start, end] never arrive."""
    for reading in readings:
        is_inside = start_s < reading.read_at_s <= end_s
        if not (is_inside and rng.randrange(_PERCENT) < percent):
            yield reading


def tampered(readings: Iterable[MeterReading], *, rng: Random, percent: int) -> Iterator[MeterReading]:
    """Some messages are changed on the way: a bit flipped, JSON written anew, or a digit put in front."""
    for reading in readings:
        if rng.randrange(_PERCENT) >= percent:
            yield reading
            continue
        way = rng.randrange(3)
        if way == 0:
            spoilt = bytearray(reading.raw)
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(7)
            yield replace(reading, raw=bytes(spoilt))
        elif way == 1:
            yield replace(reading, raw=reading.raw.replace(b",", b", "))
        else:
            register_wh = int(f"9{reading.register_wh}")
            raw = reading.raw.replace(b'"register_wh":', b'"register_wh":9')
            yield replace(reading, raw=raw, register_wh=register_wh)


def mirrored(readings: Iterable[MeterReading], *, rng: Random, percent: int) -> Iterator[MeterReading]:
    """Some signatures are turned into their other valid form, with a high s."""
    for reading in readings:
        is_hit = rng.randrange(_PERCENT) < percent
        yield replace(reading, signature=mirror(reading.signature)) if is_hit else reading


def mirror(signature: bytes) -> bytes:
    """r || n - s || v': the signature that only a malleable check takes."""
    high_s = _ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + high_s.to_bytes(32, "big") + bytes((55 - signature[64],))


def renamed(
    readings: Iterable[MeterReading], *, start_s: int, end_s: int, meter_id: str
) -> Iterator[MeterReading]:
    """Over (start, end] the gateway puts another meter's name on the readings; it has no key to sign it."""
    for reading in readings:
        if start_s < reading.read_at_s <= end_s:
            raw = reading.raw.replace(f'"{reading.meter_id}"'.encode(), f'"{meter_id}"'.encode())
            yield replace(reading, meter_id=meter_id, raw=raw)
        else:
            yield reading
