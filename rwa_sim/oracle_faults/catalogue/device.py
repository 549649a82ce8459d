"""Faults of the device: its register, its clock, its exchange."""

from __future__ import annotations

from collections.abc import Iterable

from oracles.exchange import MeterExchange, SignedExchange, sign_exchange
from oracles.faults import readings as streams
from oracles.guard import DAY_S
from oracles.schema import MeterReading
from rwa_sim.errors import InputError
from rwa_sim.oracle_faults.catalogue.case import PARTIES, PARTY_ADDRESSES, Case, reading_case
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import METER, Kit, Setup
from rwa_sim.oracle_faults.world import World


def device_cases(series: Series, at_s: int) -> list[Case]:
    """Cases of the classes whose point is the device, but for 23 and 32."""
    _, start_s, end_s, _ = series.boundaries_s
    interval_s, case = series.interval_s, reading_case
    interval_wh = series.nameplate_w * interval_s // 3_600
    half_wh = series.register_at(at_s)
    register_32 = {"initial_register_wh": 2**32 - half_wh}
    wraps = {"width_bits": 32, "first_wh": 2**32 - half_wh}
    drift_s = interval_s // 100
    return [
        case(1, "a", "two days in the month", streams.stuck, start_s=at_s, end_s=at_s + 2 * DAY_S),
        case(1, "b", "over the end of the month", streams.stuck, start_s=end_s - DAY_S, end_s=end_s + DAY_S),
        case(2, "a", "one reading x 10", streams.spike, at_s=at_s, factor=10),
        case(2, "b", "one reading x 1,000,000", streams.spike, at_s=at_s, factor=10**6),
        case(2, "c", "the month's last reading x 10", streams.spike, at_s=end_s, factor=10),
        case(
            2, "d", "the last reading, within nameplate", streams.raised,
            start_s=end_s - interval_s, end_s=end_s, by_wh=interval_wh // 2,
        ),
        case(3, "a", "every night", streams.zero_at, second_of_day=8 * 3_600),
        case(4, "a", "register x 1,000 from now on", streams.wrong_unit, start_s=at_s, times=1_000),
        case(4, "b", "register / 1,000 from now on", streams.wrong_unit, start_s=at_s, per=1_000),
        case(4, "c", "register x 1,000 from the first day", streams.wrong_unit, start_s=0, times=1_000),
        case(6, "a", "32 bits, declared", streams.rolled_over, **wraps,
             setup={"meter": register_32 | {"width_bits": 32}, "began_s": at_s}),
        case(6, "b", "32 bits, not declared", streams.rolled_over, **wraps,
             setup={"meter": register_32, "began_s": at_s}),
        _exchange_case(series, at_s, "a", "record of two parties", 2),
        _exchange_case(series, at_s, "b", "no record", 0),
        _exchange_case(series, at_s, "c", "record of one party", 1),
        case(8, "a", "ahead, growing to 20 min", streams.clock_drift, start_s=at_s, drift_s=drift_s, most_s=1_200),
        case(
            8, "b", "behind, growing to two intervals", streams.clock_drift, start_s=start_s, drift_s=-drift_s,
            most_s=2 * interval_s,
        ),
        case(8, "c", "behind, growing to 5 min", streams.clock_drift, start_s=at_s, drift_s=-drift_s, most_s=300),
        case(
            10, "a", "clock in the year 2000 for a day", streams.clock_lost, start_s=at_s, end_s=at_s + DAY_S,
            to_s=946_684_800,
        ),
        case(12, "a", "2 % of the readings", streams.conflicting, percent=2, by_wh=interval_wh // 3),
        case(16, "a", "a day, last value", streams.imputed, start_s=at_s, end_s=at_s + DAY_S),
        case(
            16, "b", "three days, too high", streams.imputed, start_s=at_s, end_s=at_s + 3 * DAY_S,
            step_wh=interval_wh // 2,
        ),
        case(29, "b", "a day below zero", streams.fallen, start_s=at_s, end_s=at_s + DAY_S, by_wh=10**9),
    ]  # fmt: skip


def _exchange_case(series: Series, at_s: int, letter: str, text: str, parties: int) -> Case:
    first_seq = next(n for n, (read_at_s, _) in enumerate(series.registers, start=1) if read_at_s > at_s)
    initial_wh = 7

    def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
        return streams.exchanged(readings, key=kit.other_key, first_seq=first_seq, initial_wh=initial_wh)

    def prepare(world: World) -> None:
        record = MeterExchange(
            meter_id=METER,
            old_serial="A-1",
            final_wh=series.registers[first_seq - 2][1],
            new_serial="B-2",
            initial_wh=initial_wh,
            first_seq=first_seq,
            at_s=at_s,
            new_public_key=world.kit.other_key.public_key,
        )
        signed: SignedExchange = sign_exchange(record, *PARTIES[:parties])
        try:
            world.network.exchange(signed)
        except InputError as refused:
            world.notices.add(f"exchange: {refused.key}", at_s, 2)
        else:
            world.registry.succeed(METER, first_seq, record.new_public_key)

    return Case(
        number=7,
        letter=letter,
        text=text,
        setup=Setup(
            readings=spoil,
            meter={"exchange_parties": PARTY_ADDRESSES},
            prepare=prepare if parties else None,
        ),
    )
