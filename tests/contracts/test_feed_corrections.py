"""CashflowFeed and Waterfall: the last final period may be corrected, and the next coupon trues it up

transmit, of the last final period
├── when the revision does not rise                     reverts StaleReport
├── when it moves the period                            reverts PeriodNotContiguous, PeriodEndMoved
├── when it falls below the period before               reverts RegisterDecreased, CreditDecreased
├── when of an older period                             reverts StaleReport
├── given the next period has an open report            reverts OtherReportOpen
└── otherwise                                           replaces values; the sink is not told
    └── given the correction is open                    the next period reverts OtherReportOpen

a wrongly accepted watermark                            no longer stops the truth once corrected
over-report -> final -> paid -> correction              the next coupon is short by exactly the overpayment
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.eip712 import report_digest
from rwa_sim.chain.deploy import FeedTerms
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.domain.tranches import PeriodReport, Trigger, on_report, opening_state
from tests.conftest import reverts
from tests.contracts.feed_kit import BOND_USD6, MWH, PLANT, WINDOW_S, Plant, open_plant
from tests.contracts.kit import (
    ASSET,
    DOLLAR,
    MONTHS_S,
    TERMS,
    UNITS,
    deploy_market,
    event,
    events,
    fund,
    issue,
    open_waterfall,
    rolled_back,
)


@pytest.fixture
def plant(market) -> Plant:
    """Two final periods, without a window."""
    plant = open_plant(market, challengeWindowS=0, firstRegisterWh=MWH // 2)
    plant.report(1)
    plant.report(2)
    return plant


def test_a_correction_walks_down_its_ladder(plant):
    wrong = replace(plant.see(2, wh=MWH - 1, usd6=50 * DOLLAR - 1), period_start=1, period_end=2)

    def attempt():
        return plant.send(wrong, at_s=MONTHS_S[2] + 7_200)

    with reverts("StaleReport", assetId=PLANT, periodId=2, revision=0, lastPeriodId=2, leastRevision=1):
        attempt()
    wrong = replace(wrong, revision=1)
    with reverts("PeriodNotContiguous", assetId=PLANT, actualStart=1, expectedStart=MONTHS_S[1]):
        attempt()
    wrong = replace(wrong, period_start=MONTHS_S[1])
    with reverts("PeriodEndMoved", assetId=PLANT, actualEnd=2, expectedEnd=MONTHS_S[2]):
        attempt()
    wrong = replace(wrong, period_end=MONTHS_S[2] + 1)
    with reverts("PeriodEndMoved", actualEnd=MONTHS_S[2] + 1):
        attempt()
    wrong = replace(wrong, period_end=MONTHS_S[2])
    with reverts("RegisterDecreased", assetId=PLANT, actual=MWH - 1, last=MWH):
        attempt()
    wrong = replace(wrong, registers_wh=(MWH,) * 4)
    with reverts("CreditDecreased", assetId=PLANT, actual=50 * DOLLAR - 1, last=50 * DOLLAR):
        attempt()
    wrong = replace(wrong, credited_usd6=(50 * DOLLAR,) * 4, readings_root=b"\7" * 32)

    receipt = attempt()

    assert events(plant.feed, receipt) == ["ReportFinal", "ReportCorrected"]
    event(
        plant.feed, receipt, "ReportFinal", digest=report_digest(plant.market.feed_config, wrong), revision=1
    )
    event(
        plant.feed,
        receipt,
        "ReportCorrected",
        assetId=PLANT,
        periodId=2,
        revision=1,
        registerBefore=2 * MWH,
        registerAfter=MWH,
        creditedBefore=100 * DOLLAR,
        creditedAfter=50 * DOLLAR,
    )
    assert events(plant.sink, receipt) == [], "the sink hears of it with the next period"
    assert plant.accepted() == (MWH, 50 * DOLLAR)
    kept = plant.feed.call("finalReport", PLANT, 2)
    assert (kept.revision, kept.registerWh, kept.readingsRoot) == (1, MWH, b"\7" * 32)
    assert kept.finalisedAt == receipt.timestamp_s
    assert plant.feed.call("lastPeriodId", PLANT) == 2


def test_only_the_last_final_period_can_be_corrected(plant):
    with reverts("StaleReport", periodId=1, revision=1, lastPeriodId=2, leastRevision=0):
        plant.report(1, 1)


def test_the_first_period_is_corrected_down_to_the_first_register(market):
    plant = open_plant(market, challengeWindowS=0, firstRegisterWh=MWH // 2)
    plant.report(1)

    with reverts("RegisterDecreased", actual=MWH // 2 - 1, last=MWH // 2):
        plant.report(1, 1, wh=MWH // 2 - 1, usd6=0)
    plant.report(1, 1, wh=MWH // 2, usd6=0)

    assert plant.accepted() == (MWH // 2, 0)


def test_a_correction_may_also_raise(plant):
    plant.report(2, 5, wh=3 * MWH, usd6=170 * DOLLAR)

    assert plant.accepted() == (3 * MWH, 170 * DOLLAR)
    with reverts("StaleReport", revision=5, leastRevision=6):
        plant.report(2, 5)


def test_the_bounds_of_a_correction_count_from_the_period_before(market):
    watts = 10**6
    plant = open_plant(market, challengeWindowS=0, nameplateW=watts)
    january, february = (watts * (MONTHS_S[m + 1] - MONTHS_S[m]) * 102 // 360_000 + 1 for m in (0, 1))
    plant.report(1, wh=january)
    plant.report(2, wh=january + 1)

    receipt = plant.report(2, 1, wh=january + february + 1)
    event(plant.feed, receipt, "ReportHeld", actual=february + 1, bound=february)
    assert events(plant.feed, plant.report(2, 2, wh=january + february)) == ["ReportFinal", "ReportCorrected"]


def test_a_poisoned_watermark_no_longer_stops_the_truth(plant):
    """A spike was accepted; every true report is below it."""
    plant.report(3, wh=10**15)
    with rolled_back(plant.market.chain), reverts("RegisterDecreased", actual=4 * MWH, last=10**15):
        plant.report(4)

    plant.report(3, 1)
    plant.report(4)

    assert plant.accepted()[0] == 4 * MWH


def test_an_open_correction_and_an_open_next_period_wait_for_each_other(market):
    plant = open_plant(market)
    plant.report(1)
    plant.mature(1)
    mark = market.chain.snapshot()

    plant.report(1, 1, wh=MWH + 1)
    with reverts("OtherReportOpen", assetId=PLANT, openPeriodId=1, status=1):
        plant.report(2)
    assert plant.feed.call("finalReport", PLANT, 1).registerWh == MWH, "the final report is still in force"
    plant.mature(1)
    assert plant.accepted()[0] == MWH + 1
    plant.report(2)

    market.chain.revert(mark)
    plant.report(2)
    with reverts("OtherReportOpen", assetId=PLANT, openPeriodId=2, status=1):
        plant.report(1, 1)


def test_a_disputed_correction_that_is_rejected_leaves_the_final_report(market):
    plant = open_plant(market)
    plant.report(1)
    plant.mature(1)
    plant.report(1, 1, wh=0)
    plant.dispute(1, 1)

    plant.resolve(1, False, 1)

    assert plant.feed.call("finalReport", PLANT, 1).registerWh == MWH
    assert plant.accepted()[0] == MWH
    with reverts("StaleReport", revision=1, leastRevision=2):
        plant.report(1, 1, wh=0)
    plant.report(2)


def test_a_period_the_sink_missed_is_delivered_as_corrected(plant):
    plant.sink.send("setRefusing", True, sender=plant.market.third)
    assert events(plant.feed, plant.report(3)) == ["ReportFinal", "DeliveryFailed"]
    plant.report(3, 1, wh=2 * MWH)
    plant.sink.send("setRefusing", False, sender=plant.market.third)

    receipt = plant.feed.send("deliver", PLANT, 3, sender=plant.market.stranger)

    event(plant.sink, receipt, "Taken", periodId=3, registerWh=2 * MWH)


# ── the story ──────────────────────────────────────────────────────────────


def python_paid(credits_usd6: list[int], trigger: Trigger = Trigger.CREDIT) -> list[int | None]:
    """What the rule puts through at each report of these cumulative credits; None where nothing is."""
    terms = replace(TERMS, trigger=trigger, threshold=int(trigger is not Trigger.SCHEDULE))
    state, available = opening_state(terms), []
    for period, credited_usd6 in enumerate(credits_usd6, start=1):
        told = PeriodReport(
            period_id=period,
            period_start_s=MONTHS_S[period - 1],
            period_end_s=MONTHS_S[period],
            register_wh=0,
            credited_usd6=credited_usd6,
        )
        outcome = on_report(terms, state, told)
        state = outcome.state
        available.append(outcome.distribution.available_usd6 if outcome.distribution else None)
    return available


def test_what_was_paid_too_much_is_made_up_for_by_the_next_coupon_to_the_cent():
    """10,000 dollars are reported and paid, of which 1,234.56 were not income; February brings 9,500."""
    wrong, true = 10_000 * DOLLAR, 10_000 * DOLLAR - 1_234_560_000
    february = true + 9_500 * DOLLAR
    with TesterEngine(seed=1) as chain:
        feed = FeedTerms(challenge_window_s=WINDOW_S, bond_usd6=BOND_USD6)
        market = deploy_market(chain, feed=feed)
        issue(market, market.seller, UNITS)
        plant = Plant(market, market.waterfall, ASSET)

        fund(market, market.waterfall, wrong)  # the bank's credit: a part of it is a deposit, as it turns out
        assert events(market.waterfall, plant.report(1, usd6=wrong)) == []
        paid = plant.mature(1)
        event(market.waterfall, paid, "Distributed", periodId=1, availableUsd6=wrong)
        before = market.cash.call("totalSupply") - market.cash.call("balanceOf", market.waterfall.address)

        plant.report(1, 1, usd6=true)
        corrected = plant.mature(1)
        event(market.feed, corrected, "ReportCorrected", creditedBefore=wrong, creditedAfter=true)
        assert events(market.waterfall, corrected) == [], "nobody is clawed back"
        fund(market, market.waterfall, february - wrong)
        plant.report(2, usd6=february)
        trued_up = plant.mature(2)

        event(market.waterfall, trued_up, "Distributed", periodId=2, availableUsd6=february - wrong)
        assert february - wrong == 9_500 * DOLLAR - 1_234_560_000
        assert python_paid([wrong, february]) == [wrong, february - wrong]
        state = market.waterfall.call("state")
        assert (state.creditedUsd6, state.allocatedUsd6) == (february, february)
        after = market.cash.call("totalSupply") - market.cash.call("balanceOf", market.waterfall.address)
        assert after - before + state.reserveUsd6 - 500 * DOLLAR == february - wrong
        assert market.distributor.call("lastCouponId") == 2


@pytest.mark.parametrize("trigger", [Trigger.CREDIT, Trigger.SCHEDULE])
@pytest.mark.parametrize(
    "credits",
    [
        (10_000, 4_000, 9_999, 10_000, 10_001, 20_000),
        (10_000, 0, 0, 25_000),
        (5_000, 4_999, 5_000, 4_999, 30_000),
    ],
)
def test_contract_and_python_put_the_same_through_when_credit_falls(market, credits, trigger):
    issue(market, market.seller, UNITS)
    terms = replace(TERMS, trigger=trigger, threshold=int(trigger is not Trigger.SCHEDULE))
    desk = open_waterfall(market, terms)
    desk.arrive(max(credits) * DOLLAR)

    told = []
    for period, dollars in enumerate(credits, start=1):
        receipt = desk.tell(period, dollars * DOLLAR)
        found = list(desk.waterfall.events(receipt, "Distributed"))
        told.append(found[0]["availableUsd6"] if found else None)

    assert told == python_paid([dollars * DOLLAR for dollars in credits], trigger)
    assert sum(paid or 0 for paid in told) == max(credits) * DOLLAR


def test_while_the_ripcord_is_pulled_held_cash_is_not_distributed(market):
    """The report is final, the cash late; then the asset is stopped."""
    issue(market, market.seller, UNITS)
    with rolled_back(market.chain):
        plant = Plant(market, market.waterfall, ASSET)
        assert "DistributionHeld" in events(market.waterfall, plant.report(1, usd6=10_000 * DOLLAR))
        plant.pull()
        with reverts("FeedStopped", feed=market.feed.address, assetId=ASSET):
            market.waterfall.send("distribute", sender=market.stranger)
        plant.reset()
        with reverts("CashNotArrived"):
            market.waterfall.send("distribute", sender=market.stranger)
        fund(market, market.waterfall, 10_000 * DOLLAR)
        plant.pull()
        with reverts("FeedStopped"):
            market.waterfall.send("distribute", sender=market.stranger)
        plant.reset()
        assert "Distributed" in events(
            market.waterfall, market.waterfall.send("distribute", sender=market.third)
        )


def test_nothing_held_is_said_before_the_ripcord(market):
    Plant(market, market.waterfall, ASSET).pull()

    with reverts("NothingHeld"):
        market.waterfall.send("distribute", sender=market.stranger)
