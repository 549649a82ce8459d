"""A meter that checks another

registry
└── none, another asset's, one that checks itself        refused
close
├── register and completeness             of the checked meter alone
├── readings of both                      leaves of the root
└── a gap at the start or end             compared from and up to where both were read
judge
├── rises within the spread               nothing; one watt-hour more    HOLD second meter
├── readings up to an interval apart      as much more as the nameplate delivers in between
├── the check meter says nothing          HOLD check meter; switched off with the rule
├── the check meter stops early           HOLD check meter
├── the checked meter lacks a day         nothing, and nothing when it catches up; a false catch-up is held
├── a period that was released            not held against the next
└── clear sky                             of the checked meter alone
node
└── inflation of one meter                held; the most a report may say is without the check meter
"""

from __future__ import annotations

import oracle_kit as kit
import pytest
from oracle_kit import HOUR_S, T0

from oracles.errors import PeriodHeld
from oracles.guard import PeriodGuard, SkyTable
from oracles.hashing import verify_merkle_proof
from oracles.network import OracleNetwork
from oracles.periods import PeriodSchedule, close
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry, ceiling_wh
from rwa_sim.errors import InputError

DAY_S = 86_400
HOURS = 240
END = T0 + 2 * HOURS * HOUR_S
SCHEDULE = PeriodSchedule([T0, T0 + HOURS * HOUR_S, END])
GUARD = PeriodGuard(most_lag_s=None, least_completeness_bps=0)
CHECKED = kit.spec()
CHECK = kit.spec("grid", checks="meter-1")


@pytest.mark.parametrize(
    "meters",
    [
        [CHECK],
        [CHECKED, CHECK, kit.spec("third", checks="grid")],
        [kit.spec(asset_name="plant two"), CHECK],
        [kit.spec(checks="meter-1")],
    ],
    ids=["no such meter", "a check meter", "of another asset", "itself"],
)
def test_a_check_of_anything_else_is_refused(meters):
    with pytest.raises(InputError, match="a meter of the same asset that checks none itself"):
        AssetRegistry(meters)


def hours(hourly_wh, *, first=1, last=2 * HOURS, lost=(), name="meter-1", late_s=0):
    meter = kit.device(name)
    readings = [meter.read(T0 + hour * HOUR_S - late_s, hourly_wh * hour) for hour in range(1, last + 1)]
    return [r for hour, r in enumerate(readings, start=1) if hour >= first and hour not in lost]


def closed(readings, check_readings, *, period_id=1, check=CHECK):
    trackers = [RegisterTracker(CHECKED), RegisterTracker(check)]
    for tracker, batch in zip(trackers, (readings, check_readings), strict=True):
        for reading in batch:
            tracker.add(reading)
    for each in range(1, period_id + 1):
        result = close(SCHEDULE.period(each), trackers)
    return result


def judged(readings, check_readings, *, guard=GUARD, check=CHECK, **changes):
    found = guard.judge(closed(readings, check_readings, check=check, **changes), [CHECKED, check])
    return [(each.rule, each.actual, each.bound) for each in found]


def grid(hourly_wh=1_000, **changes):
    return hours(hourly_wh, name="grid", **changes)


def test_the_register_is_the_checked_meters_and_both_are_leaves():
    result = closed(hours(1_000, lost=[7]), grid(2_000, lost=[8, 9]))

    assert result.register_wh == HOURS * 1_000
    assert result.completeness_bps == 239 * 10_000 // 240
    assert result.pairs[0].completeness_bps == 238 * 10_000 // 240
    for reading in (result.readings[0], result.readings[-1]):
        assert verify_merkle_proof(result.readings_root, reading.leaf, result.proof_of(reading))
    assert {reading.meter_id for reading in result.readings} == {"grid", "meter-1"}


SPREAD_WH = HOURS * 1_000 * 200 // 10_000 + 1  # 2 % and the register's rounding


@pytest.mark.parametrize("sign", [1, -1])
def test_a_rise_beyond_the_spread_is_held(sign):
    def ending(spread_wh):
        meter = kit.device()
        rising = [meter.read(T0 + hour * HOUR_S, 900 * hour) for hour in range(1, HOURS)]
        return [*rising, meter.read(T0 + HOURS * HOUR_S, HOURS * 1_000 + sign * spread_wh)]

    assert judged(ending(SPREAD_WH), grid()) == []
    assert judged(ending(SPREAD_WH + 1), grid()) == [("second meter", SPREAD_WH + 1, SPREAD_WH)]


def test_readings_apart_may_differ_by_what_is_delivered_in_between():
    apart_s = HOUR_S - 1
    apart_wh = ceiling_wh(kit.NAMEPLATE_W, apart_s)
    check_readings = grid(late_s=apart_s)
    rise_wh = HOURS * 1_000

    ((rule, _, bound),) = judged(hours(1_000_000), check_readings)

    assert judged(hours(1_000), check_readings) == []
    assert (rule, bound) == ("second meter", rise_wh * 200 // 10_000 + apart_wh)


def test_a_check_meter_that_says_nothing_is_held_unless_the_rule_is_off():
    assert judged(hours(1_000), []) == [("check meter", 0, 1)]
    assert judged(hours(1_000), grid(last=HOURS), period_id=2) == [("check meter", 0, 1)]
    assert judged(hours(1_000), [], guard=PeriodGuard(most_lag_s=None, most_spread_bps=None)) == []


def test_a_check_meter_that_stops_early_is_held():
    assert judged(hours(1_000), grid(last=HOURS - 4)) == []
    assert judged(hours(1_000), grid(last=HOURS - 6)) == [
        ("check meter", 6_000, (HOURS - 6) * 1_000 * 200 // 10_000 + 1)
    ]


def test_a_check_meter_that_begins_late_is_held_for_what_it_did_not_see():
    begins = kit.spec("grid", checks="meter-1", commissioned_at_s=T0 + 100 * HOUR_S, initial_register_wh=5)
    meter = kit.device("grid")
    readings = [meter.read(T0 + (100 + n) * HOUR_S, 5 + n * 1_000) for n in range(1, HOURS - 99)]

    (found,) = judged(hours(1_000), readings, check=begins)

    assert found == ("check meter", 100_000, 140 * 1_000 * 200 // 10_000 + 1)


def test_a_day_without_readings_over_the_end_is_compared_over_both_periods():
    gap = range(HOURS - 23, HOURS + 1)

    assert judged(hours(1_000, lost=gap), grid()) == []
    assert judged(hours(1_000, lost=gap), grid(), period_id=2) == []
    caught_up = hours(1_000, last=HOURS - 24)
    meter = kit.device()
    meter._next_seq = HOURS + 1
    caught_up += [
        meter.read(T0 + hour * HOUR_S, 1_000 * hour + 50_000) for hour in range(HOURS + 1, 2 * HOURS + 1)
    ]
    ((rule, actual, _),) = judged(caught_up, grid(), period_id=2)
    assert (rule, actual) == ("second meter", 50_000)


def test_what_was_released_in_one_period_is_not_held_against_the_next():
    meter = kit.device()
    doubled = [
        meter.read(T0 + hour * HOUR_S, 1_000 * (hour + min(hour, HOURS))) for hour in range(1, 2 * HOURS + 1)
    ]

    assert [rule for rule, _, _ in judged(doubled, grid())] == ["second meter"]
    assert judged(doubled, grid(), period_id=2) == []


def test_the_sky_is_held_against_the_checked_meter_alone():
    day_wh = 24_000 * 10 // 12
    steps = tuple(day_wh * n // 24 for n in range(2 * HOURS + 1))
    guard = PeriodGuard(
        most_lag_s=None, sky=SkyTable(first_s=T0, step_s=HOUR_S, cumulative_wh=steps), most_spread_bps=None
    )

    assert judged(hours(1_000), grid(), guard=guard) == []
    assert {rule for rule, _, _ in judged(hours(1_001), grid(), guard=guard)} == {"clear-sky day"}


def test_an_inflated_meter_is_held_by_the_nodes():
    def network(hourly_wh):
        network = OracleNetwork(
            kit.config(),
            kit.node_keys(),
            schedule=SCHEDULE,
            registry=AssetRegistry([CHECKED, CHECK]),
            guard=PeriodGuard(),
        )
        network.feed(hours(hourly_wh))
        network.feed(grid())
        return network

    honest = network(1_000)
    assert honest.close_period(1, END).report.register_wh == HOURS * 1_000
    assert honest.nodes[0]._most_wh(1) == HOURS * 1_000 + 1, "physics of the checked meter alone"
    with pytest.raises(PeriodHeld, match="second meter"):
        network(2_000).close_period(1, END)
