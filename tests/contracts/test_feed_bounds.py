"""CashflowFeed: bounds hold a report, and what an asset is registered with

registerAsset
├── when a bound or a window lacks what it needs        reverts InvalidConfig (firstPeriodStart, completeness, arbiter,
│                                                       bondToken, bondAmount, forfeitTo)
└── otherwise                                           everything can be read back, and is in the event

transmit
├── when completeness is below its minimum              held
├── when the register rises faster than the nameplate   held
├── when more cash came than the energy can have cost   held: cumulative, so that late cash is no breach
├── when several                                        held, by the first
└── when at a bound                                     not held; nothing is clamped either way
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rwa_sim.chain.deploy import FeedTerms
from tests.conftest import reverts
from tests.contracts.feed_kit import BOND_USD6, GUARDED, MWH, PLANT, Plant, config_of, open_plant, padded
from tests.contracts.kit import (
    DAY_S,
    DOLLAR,
    ISSUE_S,
    MONTHS_S,
    ZERO_ADDRESS,
    Market,
    event,
    events,
)

NAMEPLATE_W = 100_000
JANUARY_S = MONTHS_S[1] - MONTHS_S[0]
JANUARY_WH = NAMEPLATE_W * JANUARY_S * 102 // (3_600 * 100) + 1  # all hours at 102 %
CEILING = 90 * DOLLAR  # a MWh
AT_ONCE = {"challengeWindowS": 0}


# ── registerAsset ──────────────────────────────────────────────────────────


def test_register_asset_walks_down_the_ladder_of_its_terms(market):
    wrong = config_of(
        market,
        firstPeriodStart=2**48,
        minCompletenessBps=10_001,
        arbiter=ZERO_ADDRESS,
        bondToken=market.third.address,
        bondAmount=0,
        forfeitTo=ZERO_ADDRESS,
    )

    def attempt():
        return market.feed.send("registerAsset", PLANT, wrong, sender=market.deal.admin)

    for what, actual, bound, repair in (
        ("firstPeriodStart", 2**48, 2**48 - 1, {"firstPeriodStart": ISSUE_S}),
        ("completeness", 10_001, 10_000, {"minCompletenessBps": 10_000}),
        ("arbiter", 0, 1, {"arbiter": market.deal.arbiter.address}),
        ("bondToken", 0, 1, {"bondToken": market.cash.address}),
        ("bondAmount", 0, 1, {"bondAmount": 1}),
        ("forfeitTo", 0, 1, {"forfeitTo": market.third.address}),
    ):
        with reverts("InvalidConfig", what=padded(what), actual=actual, bound=bound):
            attempt()
        wrong |= repair

    event(market.feed, attempt(), "AssetRegistered", assetId=PLANT, quorum=3, signerCount=4)


@pytest.mark.parametrize("bound", ["nameplateW", "priceCeilingUsd6PerMwh", "minCompletenessBps"])
def test_a_bound_without_a_window_needs_an_arbiter_and_no_bond(market, bound):
    bare = {"arbiter": ZERO_ADDRESS, "bondToken": ZERO_ADDRESS, "bondAmount": 0, "forfeitTo": ZERO_ADDRESS}
    config = config_of(market) | AT_ONCE | bare

    with reverts("InvalidConfig", what=padded("arbiter")):
        market.feed.send("registerAsset", PLANT, config | {bound: 1}, sender=market.deal.admin)
    arbiter = {"arbiter": market.deal.arbiter.address}
    market.feed.send("registerAsset", PLANT, config | {bound: 1} | arbiter, sender=market.deal.admin)
    market.feed.send("registerAsset", bytes(32), config, sender=market.deal.admin)


def test_what_an_asset_is_registered_with_can_be_read(market):
    terms = FeedTerms(
        first_register_wh=7,
        nameplate_w=8,
        price_ceiling_usd6_per_mwh=9,
        min_completeness_bps=10,
        challenge_window_s=11,
        bond_usd6=12,
    )
    plant = open_plant(market, terms)
    told = plant.feed.call("assetTerms", PLANT)

    assert told.sink == plant.sink.address
    assert (told.firstRegisterWh, told.nameplateW, told.priceCeilingUsd6PerMwh) == (7, 8, 9)
    assert (told.minCompletenessBps, told.challengeWindowS, told.bondAmount) == (10, 11, 12)
    parties = (told.arbiter, told.bondToken, told.forfeitTo)
    assert parties == (plant.arbiter.address, market.cash.address, market.deal.sponsor.address)
    state = plant.feed.call("assetState", PLANT)
    assert (state.lastPeriodId, state.lastPeriodEnd) == (0, ISSUE_S)
    assert (state.registerWh, state.creditedUsd6) == (7, 0)
    assert (state.openStatus, state.isRipcordPulled) == (0, False)
    config = plant.feed.call("currentConfig", PLANT)
    assert (config.configCount, config.quorum, config.signerCount) == (1, 3, 4)
    assert (config.faultTolerance, config.unit) == (1, "Wh")
    assert config.digest == plant.feed.call("configDigest", PLANT)


def test_the_event_of_a_registration_has_all_its_terms(market):
    config = config_of(market, GUARDED, nameplateW=5)

    receipt = market.feed.send("registerAsset", PLANT, config, sender=market.deal.admin)

    told = event(market.feed, receipt, "AssetRegistered")["config"]
    assert (told.nameplateW, told.challengeWindowS, told.bondAmount) == (5, DAY_S, BOND_USD6)
    assert [address.lower() for address in told.signers] == [n.address.lower() for n in market.nodes]


# ── bounds ─────────────────────────────────────────────────────────────────


def bounded(market: Market, **terms: int) -> Plant:
    """A plant without a window, so that what is not held is final at once."""
    return open_plant(market, replace(GUARDED, challenge_window_s=0, **terms))


def outcome(plant: Plant, receipt) -> str:
    """Final, or what held the report."""
    told = events(plant.feed, receipt)
    if told == ["ReportFinal"]:
        return "final"
    assert told == ["ReportOpened", "ReportHeld"]
    assert plant.opened().status == 2
    return event(plant.feed, receipt, "ReportHeld")["what"].rstrip(b"\0").decode()


def holds(plant: Plant, period: int, **changes) -> str:
    return outcome(plant, plant.report(period, **changes))


@pytest.mark.parametrize(("bps", "said"), [(8_999, "completeness"), (9_000, "final"), (9_001, "final")])
def test_too_little_of_the_period_measured_is_held(market, bps, said):
    plant = bounded(market, min_completeness_bps=9_000)

    receipt = plant.report(1, completeness_bps=bps)

    assert outcome(plant, receipt) == said
    if said != "final":
        event(
            plant.feed, receipt, "ReportHeld", assetId=PLANT, periodId=1, revision=0, actual=bps, bound=9_000
        )


@pytest.mark.parametrize("over_wh", [-1, 0, 1])
def test_more_energy_than_the_plant_can_make_is_held(market, over_wh):
    plant = bounded(market, nameplate_w=NAMEPLATE_W, first_register_wh=10**12)

    receipt = plant.report(1, wh=10**12 + JANUARY_WH + over_wh)

    assert outcome(plant, receipt) == ("nameplate" if over_wh > 0 else "final")
    if over_wh > 0:
        event(plant.feed, receipt, "ReportHeld", actual=JANUARY_WH + 1, bound=JANUARY_WH)
        assert plant.accepted() == (10**12, 0), "nothing is taken, nothing is clamped"
        plant.resolve(1, True)
        assert plant.accepted()[0] == 10**12 + JANUARY_WH + 1


def test_the_nameplate_bounds_each_period_from_the_last_final_one(market):
    plant = bounded(market, nameplate_w=NAMEPLATE_W)
    february_wh = NAMEPLATE_W * (MONTHS_S[2] - MONTHS_S[1]) * 102 // 360_000 + 1
    plant.report(1, wh=5 * MWH)

    assert holds(plant, 2, wh=5 * MWH + february_wh + 1) == "nameplate"
    assert holds(plant, 2, revision=1, wh=5 * MWH + february_wh) == "final"


@pytest.mark.parametrize("over_usd6", [-1, 0, 1])
def test_more_cash_than_the_energy_can_have_fetched_is_held(market, over_usd6):
    plant = bounded(market, price_ceiling_usd6_per_mwh=CEILING, first_register_wh=10**12)

    receipt = plant.report(1, wh=10**12 + 2 * MWH, usd6=2 * CEILING + over_usd6)

    assert outcome(plant, receipt) == ("price" if over_usd6 > 0 else "final")
    if over_usd6 > 0:
        event(plant.feed, receipt, "ReportHeld", actual=2 * CEILING + 1, bound=2 * CEILING)


def test_the_price_bound_is_rounded_down(market):
    plant = bounded(market, price_ceiling_usd6_per_mwh=3)

    assert holds(plant, 1, wh=2 * MWH // 3, usd6=2) == "price"  # worth 1.999998
    assert holds(plant, 1, revision=1, wh=2 * MWH // 3 + 1, usd6=2) == "final"  # worth 2.000001


def test_cash_that_comes_late_is_no_breach(market):
    plant = bounded(market, price_ceiling_usd6_per_mwh=CEILING)

    assert holds(plant, 1, wh=3 * MWH, usd6=0) == "final"
    assert holds(plant, 2, wh=3 * MWH, usd6=3 * CEILING) == "final", "January's cash, a February without sun"
    assert holds(plant, 3, wh=3 * MWH, usd6=3 * CEILING + 1) == "price"


def test_energy_before_the_registration_fetched_nothing(market):
    plant = bounded(market, price_ceiling_usd6_per_mwh=CEILING, first_register_wh=50 * MWH)

    assert holds(plant, 1, wh=51 * MWH, usd6=CEILING + 1) == "price"
    with reverts("RegisterDecreased", actual=50 * MWH - 1, last=50 * MWH):
        plant.report(1, 1, wh=50 * MWH - 1)


def test_of_several_bounds_the_first_is_named(market):
    plant = bounded(market, min_completeness_bps=1, nameplate_w=1, price_ceiling_usd6_per_mwh=1)

    assert holds(plant, 1, wh=MWH, usd6=DOLLAR, completeness_bps=0) == "completeness"
    assert holds(plant, 1, revision=1, wh=MWH, usd6=DOLLAR) == "nameplate"
    assert holds(plant, 1, revision=2, wh=0, usd6=DOLLAR) == "price"
    assert holds(plant, 1, revision=3, wh=0, usd6=0) == "final"


def test_the_largest_values_are_held_not_refused(market):
    plant = bounded(
        market, nameplate_w=2**64 - 1, price_ceiling_usd6_per_mwh=2**64 - 1, min_completeness_bps=0
    )

    assert holds(plant, 1, wh=2**128 - 1, usd6=2**128 - 1) == "nameplate"


def test_a_held_report_is_replaced_by_a_higher_revision(market):
    plant = bounded(market, min_completeness_bps=9_000)
    plant.report(1, completeness_bps=1)

    assert events(plant.feed, plant.report(1, 1)) == ["ReportFinal"]
    assert plant.status(1) == "Final"


def test_a_held_report_in_a_window_cannot_be_disputed_and_does_not_mature(market):
    plant = open_plant(market, minCompletenessBps=9_000)
    plant.report(1, completeness_bps=1)

    with reverts("WrongStatus", actual=2, expected=1):
        plant.dispute(1)
    with reverts("WrongStatus", actual=2, expected=1):
        plant.mature(1)
