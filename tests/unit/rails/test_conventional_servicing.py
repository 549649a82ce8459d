"""The conventional coupon, by hand and automatic

service_coupons
├── manual
│   ├── payment date             15 days after the collection period of the credit, following business day
│   ├── waterfall                the same allocation as the pure function
│   └── float income             credited, ACT/360, rounded down
└── automatic (the fair rivals)  determined in the second of the report, paid the next business day, untouched
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from random import Random

import pytest

from rwa_sim.domain.tranches import ClassTerms, DealTerms, PeriodReport, Step, StepKind, Trigger
from rwa_sim.rails.credits import Credit, mean_credited_at_s
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import load_profile
from rwa_sim.rails.servicing import float_income_usd6, service_coupons
from tests.unit.rails.rail_kit import at

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


def serviced(profile: str = "EU-T2-T2S", reported_at_s=None):
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
        load_profile(profile),
        TERMS,
        reports,
        credits,
        eligible_yield_bps=350,
        log=EventLog(),
        rng=Random(1),
        reported_at_s=reported_at_s,
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


@pytest.mark.parametrize("rival", ["rival-T1", "rival-T0"])
def test_a_rival_pays_the_business_day_after_the_report_without_a_touch(rival):
    reported_at_s = [at("2024-02-10T00:15"), at("2024-03-28T09:00")]  # a Saturday; Maundy Thursday
    first, second = serviced(rival, reported_at_s)

    assert [first.determined_at_s, second.determined_at_s] == reported_at_s
    assert datetime.fromtimestamp(first.paid_at_s, UTC).date() == date(2024, 2, 12)
    assert datetime.fromtimestamp(second.paid_at_s, UTC).date() == date(2024, 4, 2)
    assert datetime.fromtimestamp(second.spendable_at_s, UTC).date() == date(2024, 4, 3)
    assert first.manual_touches == second.manual_touches == 0
    assert first.determined_at_s <= first.record_at_s <= first.paid_at_s


def test_a_rival_pays_the_same_amounts_as_the_manual_chain():
    manual, rival = serviced(), serviced("rival-T1")

    assert [c.paid_usd6 for c in manual] == [c.paid_usd6 for c in rival]
    assert rival[0].determined_at_s == rival[0].credited_at_s, "without a report, from the credit"
