"""Periods, their close, and the collection account

close
├── the reading stamped exactly at the end      closes this period
├── the reading one second after                belongs to the next
├── given a gap at the end                      the last value stands; the next period carries the rest
├── given lost readings                         same register, lower completeness
├── two meters                                  registers add up
├── readings root                               proves each reading in, none other
└── any cut into periods                        sum of deltas = final register - first
schedule
└── boundaries not ascending, no such period    refused
credits
├── the same entry twice                        counts once
├── reversed credit                             taken back from later credits, never below what was said
├── returned payment, plain debit               no income
├── pending at the instant of observation       not yet counted
└── late for a closed period                    carried forward
"""

from __future__ import annotations

from datetime import date

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.credits import CreditLedger
from oracles.hashing import ZERO32, verify_merkle_proof
from oracles.periods import Period, PeriodSchedule, calendar_boundaries, close
from oracles.registers import RegisterTracker
from oracles.schema import EntryKind
from rwa_sim.errors import InputError, MalformedReading


def filled(readings, name="meter-1") -> RegisterTracker:
    tracker = RegisterTracker(kit.spec(name))
    for reading in readings:
        tracker.add(reading)
    return tracker


def day(start_hour: int = 0, hours: int = 4, period_id: int = 1) -> Period:
    start_s = T0 + start_hour * HOUR_S
    return Period(period_id=period_id, start_s=start_s, end_s=start_s + hours * HOUR_S)


def test_close_takes_the_reading_at_the_end_and_not_the_one_at_the_start():
    tracker = filled(kit.hourly([1, 2, 3, 4, 5, 6, 7, 8]))

    first, second = close(day(), [tracker]), close(day(4), [tracker])

    assert (first.register_wh, [r.register_wh for r in first.readings]) == (4, [1, 2, 3, 4])
    assert (second.register_wh, [r.register_wh for r in second.readings]) == (8, [5, 6, 7, 8])
    assert first.completeness_bps == second.completeness_bps == 10_000


def test_close_leaves_the_reading_one_second_after_the_end_to_the_next():
    meter = kit.device()
    tracker = filled([meter.read(T0 + HOUR_S, 10), meter.read(T0 + 4 * HOUR_S + 1, 20)])

    assert close(day(), [tracker]).register_wh == 10
    assert close(day(4), [tracker]).register_wh == 20


def test_close_of_the_first_period_leaves_out_what_was_read_before_it():
    tracker = filled(kit.hourly([1, 2, 3, 4]))

    closed = close(day(start_hour=2, hours=2), [tracker])

    assert [r.register_wh for r in closed.readings] == [3, 4], "the reading at its start is not its own"
    assert (closed.register_wh, closed.completeness_bps) == (4, 10_000)


def test_close_over_a_gap_at_the_end_moves_its_energy_to_the_next_period():
    readings = kit.hourly([100, 200, 300, 400, 500])
    tracker = filled([*readings[:2], readings[4]])

    first, second = close(day(), [tracker]), close(day(4), [tracker])

    assert (first.register_wh, first.completeness_bps) == (200, 5_000)
    assert (second.register_wh, second.completeness_bps) == (500, 2_500)


def test_close_of_two_meters_adds_registers_and_completeness():
    one = filled(kit.hourly([1, 2, 3, 4], meter=kit.device("m1")), "m1")
    two = filled(kit.hourly([10, 20], meter=kit.device("m2")), "m2")

    closed = close(day(), [two, one])

    assert (closed.register_wh, closed.completeness_bps) == (24, 7_500)
    assert [r.meter_id for r in closed.readings] == ["m1"] * 4 + ["m2"] * 2


def test_close_without_readings_has_no_root_and_no_completeness():
    closed = close(day(), [filled([])])

    assert (closed.register_wh, closed.completeness_bps, closed.readings_root) == (0, 0, ZERO32)


def test_readings_root_proves_what_counted_and_nothing_else():
    readings = kit.hourly([100, 0, 300, 400])
    closed = close(day(), [filled(readings)])

    for reading in closed.readings:
        assert verify_merkle_proof(closed.readings_root, reading.leaf, closed.proof_of(reading))
    assert readings[1] not in closed.readings, "a drop is not what the register rests on"
    with pytest.raises(ValueError, match="not in"):
        closed.proof_of(readings[1])


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=30),
    st.sets(st.integers(1, 29), max_size=6),
    st.sets(st.integers(0, 28), max_size=10),
)
def test_any_cut_into_periods_adds_up_to_the_register(rises_wh, cuts, lost):
    registers = [sum(rises_wh[: n + 1]) for n in range(len(rises_wh))]
    readings = kit.hourly(registers)
    tracker = filled(r for n, r in enumerate(readings) if n not in lost or n == len(readings) - 1)
    schedule = PeriodSchedule(T0 + hour * HOUR_S for hour in sorted({0, 31} | cuts))

    before_wh, deltas_wh = 0, []
    for period in schedule:
        closed = close(period, [tracker])
        deltas_wh.append(closed.register_wh - before_wh)
        before_wh = closed.register_wh

    assert all(delta >= 0 for delta in deltas_wh)
    assert sum(deltas_wh) == registers[-1]


def test_calendar_boundaries_are_midnights_utc_across_leap_years():
    quarters = calendar_boundaries(date(2027, 10, 1), months=3, count=3)

    assert quarters == tuple(kit.utc_s(*ymd) for ymd in ((2027, 10), (2028, 1), (2028, 4), (2028, 7)))
    assert quarters[2] - quarters[1] == 91 * 86_400


def test_schedule_finds_periods_by_half_open_intervals():
    schedule = PeriodSchedule([10, 20, 30])

    assert [schedule.id_at(instant) for instant in (9, 10, 19, 20, 29, 30)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("boundaries", [[], [1], [2, 1], [1, 1]])
def test_schedule_not_ascending_is_refused(boundaries):
    with pytest.raises(InputError, match="ascending"):
        PeriodSchedule(boundaries)


@pytest.mark.parametrize("period_id", [0, -1, 13])
def test_schedule_without_that_period_says_which_it_has(period_id):
    with pytest.raises(InputError, match="1 to 12"):
        kit.months().period(period_id)


@pytest.mark.parametrize(
    "terms", [(date(2026, 1, 2), 1, 1), (date(2026, 1, 1), 0, 1), (date(2026, 1, 1), 1, 0)]
)
def test_calendar_boundaries_that_are_no_calendar_periods_are_refused(terms):
    with pytest.raises(InputError):
        calendar_boundaries(terms[0], months=terms[1], count=terms[2])


def ledger(*events) -> CreditLedger:
    book = CreditLedger(kit.months())
    for event in events:
        book.add(event)
    return book


FEBRUARY, MARCH = kit.utc_s(2026, 2), kit.utc_s(2026, 3)


@pytest.mark.parametrize(
    ("events", "january_usd6", "february_usd6"),
    [
        ([kit.credit("a", 70)], 70, 70),
        ([kit.credit("a", 70), kit.credit("a", 70)], 70, 70),
        ([kit.credit("a", 70, kind=EntryKind.DEBIT)], 0, 0),
        ([kit.credit("a", 70, reversal=True)], 0, 0),
        ([kit.credit("a", 70, booked_at_s=FEBRUARY - 1)], 70, 70),
        ([kit.credit("a", 70, booked_at_s=FEBRUARY)], 0, 70),
        ([kit.credit("a", 70, booked_at_s=FEBRUARY + 5, period_id=1)], 0, 70),
        (
            [
                kit.credit("a", 70),
                kit.credit("r", 70, kind=EntryKind.DEBIT, reversal=True, booked_at_s=FEBRUARY),
                kit.credit("b", 30, booked_at_s=FEBRUARY),
            ],
            70,
            70,
        ),
        (
            [
                kit.credit("a", 70),
                kit.credit("r", 70, kind=EntryKind.DEBIT, reversal=True, booked_at_s=FEBRUARY),
                kit.credit("b", 100, booked_at_s=FEBRUARY),
            ],
            70,
            100,
        ),
    ],
    ids=[
        "credit",
        "same entry twice",
        "plain debit",
        "returned payment",
        "last second of the period",
        "first second of the next",
        "late for its period: carried forward",
        "reversal not made up for",
        "reversal made up for",
    ],
)
def test_cumulative_credit_counts_income_once(events, january_usd6, february_usd6):
    book = ledger(*events)

    assert book.cumulative_usd6(1, known_by_s=FEBRUARY) == january_usd6
    assert book.cumulative_usd6(2, known_by_s=MARCH) == february_usd6


def test_credit_booked_after_the_observation_is_not_yet_known():
    book = ledger(kit.credit("a", 70, booked_at_s=FEBRUARY + 10, period_id=1))

    assert book.cumulative_usd6(1, known_by_s=FEBRUARY + 9) == 0
    assert book.cumulative_usd6(1, known_by_s=FEBRUARY + 10) == 70


@pytest.mark.parametrize(
    "second", [kit.credit("a", 71), kit.credit("b", -1)], ids=["reference reused", "negative"]
)
def test_credit_that_contradicts_is_refused(second):
    book = ledger(kit.credit("a", 70))

    with pytest.raises(MalformedReading):
        book.add(second)
    assert book.cumulative_usd6(1, FEBRUARY) == 70
