"""The conventional rail: settlement dates, fails, penalties, coupon servicing.

ConventionalRail.settle
├── trade date               the day itself; the next business day after the close, at a weekend, on a holiday
├── settlement date          T+2 in TARGET business days; T+1 from 2027-10-11; rules_as_of overrides
├── fails                    geometric; late by business days; penalty to the last unit
└── calendar without data    CalendarYearMissing
service_coupons
├── payment date             15 days after the collection period of the credit, following business day
├── waterfall                the same allocation as the pure function
└── float income             credited, ACT/360, rounded down
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from random import Random

import pytest

from rwa_sim.domain.records import SettlementStatus, Trade
from rwa_sim.domain.tranches import ClassTerms, DealTerms, PeriodReport, Step, StepKind, Trigger
from rwa_sim.errors import CalendarYearMissing, InputError, UnknownName
from rwa_sim.rails.conventional import ConventionalRail, float_income_usd6
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import PROFILES, load_profile, read_profile
from rwa_sim.rails.servicing import service_coupons
from rwa_sim.rails.sourced import MARKS

MILLION_USD6 = 10**12


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def trade(when: str, number: int = 1, cash_usd6: int = MILLION_USD6) -> Trade:
    return Trade(
        trade_id=f"T{number}",
        executed_at_s=at(when),
        instrument="A",
        seller="a",
        buyer="b",
        units=10,
        cash_usd6=cash_usd6,
    )


def settle(when: str, profile: str = "EU-T2-T2S", rules_as_of: date | None = None):
    rail = ConventionalRail(load_profile(profile), EventLog(), Random(1), rules_as_of)
    return rail.settle([trade(when)])[0]


def intended_date(record) -> date:
    return datetime.fromtimestamp(record.intended_at_s, UTC).date()


@pytest.mark.parametrize(
    ("when", "settles"),
    [
        ("2024-03-11T10:00", date(2024, 3, 13)),  # Monday
        ("2024-03-07T10:00", date(2024, 3, 11)),  # Thursday: over the weekend
        ("2024-03-08T10:00", date(2024, 3, 12)),  # Friday
        ("2024-03-09T10:00", date(2024, 3, 13)),  # Saturday counts as Monday
        ("2024-03-11T17:00", date(2024, 3, 14)),  # 18:00 in Berlin, after the close: Tuesday
        ("2024-03-27T10:00", date(2024, 4, 2)),  # Good Friday and Easter Monday between
        ("2024-12-24T10:00", date(2024, 12, 30)),  # 25 and 26 December between
        ("2027-10-08T10:00", date(2027, 10, 12)),  # the last Friday of T+2
        ("2027-10-11T10:00", date(2027, 10, 12)),  # the first day of T+1
    ],
)
def test_settlement_date_follows_the_dated_lag_and_the_calendar(when, settles):
    assert intended_date(settle(when)) == settles


def test_rules_as_of_apply_the_lag_of_another_day():
    assert intended_date(settle("2012-03-12T10:00", rules_as_of=date(2024, 1, 2))) == date(2012, 3, 14)


def test_a_trade_before_the_first_lag_in_force_is_refused():
    with pytest.raises(InputError, match=r"settle_lag_bd: expected a trade date from 2014-10-06"):
        settle("2012-03-12T10:00")


def test_a_calendar_year_without_data_is_refused():
    with pytest.raises(CalendarYearMissing):
        settle("2300-03-12T10:00", "legacy-T3")


def test_finality_is_after_the_trade_and_never_before_the_night_before_settlement():
    profile, tape = load_profile("EU-T2-T2S"), [trade("2024-03-11T10:00", n) for n in range(400)]
    records = ConventionalRail(profile, EventLog(), Random(3)).settle(tape)

    night_s = at("2024-03-12T19:00")  # 20:00 in Berlin
    assert all(record.finalized_at_s >= night_s for record in records)
    on_time = [record for record in records if record.late_business_days == 0]
    assert all(record.finalized_at_s <= record.intended_at_s for record in on_time)


def test_fails_come_at_the_profiles_rates_and_last_geometrically():
    """Within four standard errors of p_fail, and of the mean 1 / p_settle_next."""
    profile, count = load_profile("EU-T2-T2S"), 20_000
    tape = [trade("2024-03-11T10:00", n) for n in range(count)]
    records = ConventionalRail(profile, EventLog(), Random(5)).settle(tape)
    failed = [record for record in records if record.late_business_days]

    p, q = 0.03, 0.55
    assert abs(len(failed) / count - p) < 4 * (p * (1 - p) / count) ** 0.5
    mean = sum(record.late_business_days for record in failed) / len(failed)
    assert abs(mean - 1 / q) < 4 * ((1 - q) / q**2 / len(failed)) ** 0.5
    assert all(record.status is SettlementStatus.SETTLED for record in failed if record.finalized_at_s)


def test_penalty_is_the_rate_times_value_times_business_days_exactly():
    tape = [trade("2024-03-11T10:00", n, cash_usd6=333_333_333_333) for n in range(500)]
    for record in ConventionalRail(load_profile("EU-T2-T2S"), EventLog(), Random(5)).settle(tape):
        exact = Fraction(record.cash_usd6) * Fraction("0.20") / 10_000 * record.late_business_days
        assert record.penalty_usd6 == exact.numerator // exact.denominator
    # worked magnitude of the reference: a million failing one day costs twenty
    one_day = Fraction(MILLION_USD6) * load_profile("EU-T2-T2S").penalty_rate
    assert one_day == 20 * 10**6


def test_fee_is_two_instructions():
    assert load_profile("EU-T2-T2S").fee_usd6 == 470_000


def test_every_value_of_every_profile_carries_mark_and_source():
    for path in PROFILES.glob("*.toml"):
        rows = read_profile(path).assumptions()
        assert len(rows) >= 20
        assert all(mark in MARKS and len(source) > 3 for _, _, mark, source in rows)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('mark = "R"', 'mark = "X"', "mark"),
        ('value = "0.95"', 'value = "1.95"', "p_affirm_same_day"),
        ('value = "0.95"\nmark = "R"', 'value = "0.95"', "p_affirm_same_day.mark"),
        ("[p_fail]", "[p_fial]", "p_fail"),
        ('value = "05:00-16:00"', 'value = "05:00-99:00"', "day_cycle"),
    ],
)
def test_a_faulty_profile_is_refused_by_key(tmp_path, old, new, key):
    text = (PROFILES / "EU-T2-T2S.toml").read_text("utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), "utf-8")
    assert text != path.read_text("utf-8")

    with pytest.raises(InputError) as caught:
        read_profile(path)

    assert key in caught.value.key


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(UnknownName, match="EU-T2-T2S, legacy-T3"):
        load_profile("nowhere")


TERMS = DealTerms(
    classes=(ClassTerms(name="A", original_usd6=1_000_000_000, rate_wad=6 * 10**16, principal_periods=2),),
    steps=(
        Step(kind=StepKind.FEE, payee="servicer", rate_wad=10**16),
        Step(kind=StepKind.INTEREST, classes=(0,)),
        Step(kind=StepKind.PRINCIPAL, classes=(0,)),
        Step(kind=StepKind.RESIDUAL, payee="sponsor"),
    ),
    trigger=Trigger.ENERGY,
    threshold=10**15,
    period_count=2,
    maturity_s=at("2024-03-01"),
)


def serviced(rng_seed: int = 1):
    starts = [at("2024-01-01"), at("2024-02-01"), at("2024-03-01")]
    reports = [
        PeriodReport(
            period_id=n,
            period_start_s=starts[n - 1],
            period_end_s=starts[n],
            register_wh=n,
            credited_usd6=n * 600_000_000,
        )
        for n in (1, 2)
    ]
    credits = [
        Credit(period_id=n, booked_at_s=starts[n] + 9 * 86_400, amount_usd6=600_000_000, energy_wh=1)
        for n in (1, 2)
    ]
    return service_coupons(
        load_profile("EU-T2-T2S"),
        TERMS,
        reports,
        credits,
        eligible_yield_bps=350,
        log=EventLog(),
        rng=Random(rng_seed),
    )


def test_a_coupon_is_paid_fifteen_days_after_the_collection_period_of_its_credit():
    first, second = serviced()

    # credited 10 February, collection period ends 29 February, 15 March is a Friday
    assert datetime.fromtimestamp(first.paid_at_s, UTC).date() == date(2024, 3, 15)
    assert datetime.fromtimestamp(first.record_at_s, UTC).date() == date(2024, 3, 14)
    assert datetime.fromtimestamp(first.determined_at_s, UTC).date() == date(2024, 3, 13)
    assert datetime.fromtimestamp(first.spendable_at_s, UTC).date() == date(2024, 3, 18)
    # credited 10 March, 31 March + 15 days
    assert datetime.fromtimestamp(second.paid_at_s, UTC).date() == date(2024, 4, 15)


def test_the_old_world_pays_the_same_waterfall_without_an_energy_trigger():
    first, second = serviced()

    assert (first.due_usd6, first.paid_usd6) == (505_000_000, 505_000_000)  # 5 interest, 500 principal
    assert (second.due_usd6, second.paid_usd6) == (502_500_000, 502_500_000)


def test_waiting_cash_earns_float_income():
    first, _ = serviced()
    seconds = first.paid_at_s - first.credited_at_s

    exact = Fraction(600_000_000) * Fraction(350, 10_000) * Fraction(seconds, 360 * 86_400)
    assert first.float_income_usd6 == int(exact)
    assert float_income_usd6(0, 350, seconds) == 0


def test_credits_of_one_distribution_count_from_their_weighted_mean():
    early, late = (
        Credit(period_id=n, booked_at_s=s, amount_usd6=a, energy_wh=0)
        for n, s, a in ((1, 100, 3), (2, 200, 1))
    )

    assert mean_credited_at_s([early, late], default_s=0) == 125
    assert mean_credited_at_s([], default_s=7) == 7
