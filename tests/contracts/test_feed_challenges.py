"""CashflowFeed: the open report, its window, disputes, the arbiter, the ripcord

every entry point against every status (a table), as it is and with the ripcord pulled

finalise
├── given no pending report                             reverts WrongStatus
├── when the window is open (t - 1)                     reverts ChallengeWindowOpen
├── given the ripcord is pulled                         reverts RipcordPulled
└── otherwise (t, t + 1)                                final; the sink is told

dispute
├── given no pending report                             reverts WrongStatus
├── when of another revision                            reverts WrongRevision
├── when the window is over (t, t + 1)                  reverts ChallengeWindowOver
├── when the bond does not come, or not whole           reverts (token errors), BondNotArrived
└── otherwise (t - 1)                                   disputed; the feed has the bond

resolve
├── when by another than the arbiter                    reverts OnlyArbiter
├── given neither held nor disputed                     reverts WrongStatus
├── when of another revision                            reverts WrongRevision
├── when it stands, the ripcord pulled                  reverts RipcordPulled
├── when it stands                                      final, the bond is forfeited
└── when it does not                                    rejected, the bond goes back; that revision never comes again

a higher revision
├── supersedes pending, held and disputed reports       the window restarts; the bond goes back
└── when it rises too far                               reverts RevisionOutOfReach

releaseBond
├── given nothing parked                                reverts NoBondParked
├── given the payee still cannot receive                reverts BondNotReceivable
└── otherwise                                           pays, once

ripcord
├── pullRipcord twice, of an unknown asset              reverts RipcordPulled, UnknownAsset
├── resetRipcord when not pulled                        reverts RipcordNotPulled
└── pulled                                              a report that would be final at once waits
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oracles.eip712 import report_digest
from rwa_sim.chain.contract import deploy
from rwa_sim.errors import Reverted
from tests.conftest import reverts
from tests.contracts.feed_kit import (
    BOND_USD6,
    GUARDED,
    MWH,
    PLANT,
    WINDOW_S,
    Plant,
    config_of,
    open_plant,
    padded,
)
from tests.contracts.kit import (
    DOLLAR,
    MONTHS_S,
    ZERO_ADDRESS,
    Contract,
    allow,
    block,
    books,
    cash_of,
    event,
    events,
    moved,
)


@pytest.fixture
def plant(market) -> Plant:
    return open_plant(market)


def held(plant: Plant, period: int, revision: int = 0):
    """A report that shows too little of the period."""
    return plant.report(period, revision, completeness_bps=8_999)


@pytest.fixture
def strict(market) -> Plant:
    """With a bound, so that a report can be held: 90 % of the intervals."""
    return open_plant(market, minCompletenessBps=9_000)


# ── every entry point against every status ─────────────────────────────────


def rejected(plant: Plant, period: int, revision: int = 0) -> None:
    held(plant, period, revision)
    plant.resolve(period, False, revision)


def disputed(plant: Plant, period: int, revision: int = 0) -> None:
    plant.report(period, revision)
    plant.dispute(period, revision)


def final(plant: Plant) -> None:
    plant.report(1)
    plant.mature(1)


def corrected(step: Callable[[Plant, int, int], object]) -> Callable[[Plant], None]:
    def arrange(plant: Plant) -> None:
        final(plant)
        step(plant, 1, 1)

    return arrange


ARRANGED: dict[str, Callable[[Plant], object]] = {
    "None": lambda plant: None,
    "Pending": lambda plant: plant.report(1),
    "Held": lambda plant: held(plant, 1),
    "Disputed": lambda plant: disputed(plant, 1),
    "Rejected": lambda plant: rejected(plant, 1),
    "Final": final,
    "Pending correction": corrected(lambda plant, period, revision: plant.report(period, revision)),
    "Held correction": corrected(held),
    "Disputed correction": corrected(disputed),
    "Rejected correction": corrected(rejected),
}


def revision_of(plant: Plant) -> int:
    """The newest revision of period 1 that the chain knows of."""
    return max(plant.opened().revision, plant.feed.call("finalReport", PLANT, 1).revision)


ENTRIES: dict[str, Callable[[Plant], object]] = {
    "same revision": lambda plant: plant.report(1, revision_of(plant)),
    "higher revision": lambda plant: plant.report(1, revision_of(plant) + 1),
    "next period": lambda plant: plant.report(2),
    "finalise early": lambda plant: plant.finalise(1),
    "finalise": lambda plant: plant.finalise(1, plant.opened().acceptedAt + WINDOW_S),
    "dispute": lambda plant: plant.dispute(1, revision_of(plant), by=plant.market.buyer),
    "dispute late": lambda plant: plant.dispute(
        1, revision_of(plant), by=plant.market.buyer, at_s=plant.opened().acceptedAt + WINDOW_S
    ),
    "stands": lambda plant: plant.resolve(1, True, revision_of(plant)),
    "rejected": lambda plant: plant.resolve(1, False, revision_of(plant)),
    "deliver": lambda plant: plant.feed.send("deliver", PLANT, 1, sender=plant.market.stranger),
}
OK = ""
STALE, GAP, WRONG, OTHER = "StaleReport", "PeriodGap", "WrongStatus", "OtherReportOpen"
EARLY, LATE, NOTHING = "ChallengeWindowOpen", "ChallengeWindowOver", "NothingToDeliver"
# same, higher, next; finalise early, in time; dispute, late; stands, rejected; deliver
TABLE: dict[str, tuple[str, ...]] = {
    "None": (OK, OK, GAP, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, NOTHING),
    "Pending": (STALE, OK, GAP, EARLY, OK, OK, LATE, WRONG, WRONG, NOTHING),
    "Held": (STALE, OK, GAP, WRONG, WRONG, WRONG, WRONG, OK, OK, NOTHING),
    "Disputed": (STALE, OK, GAP, WRONG, WRONG, WRONG, WRONG, OK, OK, NOTHING),
    "Rejected": (STALE, OK, GAP, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, NOTHING),
    "Final": (STALE, OK, OK, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, OK),
    "Pending correction": (STALE, OK, OTHER, EARLY, OK, OK, LATE, WRONG, WRONG, OK),
    "Held correction": (STALE, OK, OTHER, WRONG, WRONG, WRONG, WRONG, OK, OK, OK),
    "Disputed correction": (STALE, OK, OTHER, WRONG, WRONG, WRONG, WRONG, OK, OK, OK),
    "Rejected correction": (STALE, OK, OK, WRONG, WRONG, WRONG, WRONG, WRONG, WRONG, OK),
}
STOPPED = ("finalise", "stands", "deliver")  # what the ripcord stops, of what would go through


@pytest.mark.parametrize("pulled", [False, True], ids=["running", "pulled"])
@pytest.mark.parametrize("status", TABLE)
def test_every_entry_point_against_every_status(strict, status, pulled):
    ARRANGED[status](strict)
    shown = strict.status(1)
    assert shown == status.removesuffix(" correction")
    if pulled:
        strict.pull()
    chain = strict.market.chain
    said = {}
    for name, enter in ENTRIES.items():
        mark = chain.snapshot()
        before = (shown, strict.accepted(), cash_of(strict.market, strict.feed))
        try:
            enter(strict)
            said[name] = OK
        except Reverted as refusal:
            said[name] = refusal.error
            assert (strict.status(1), strict.accepted(), cash_of(strict.market, strict.feed)) == before
        chain.revert(mark)

    expected = dict(zip(ENTRIES, TABLE[status], strict=True))
    if pulled:
        expected |= {name: "RipcordPulled" for name in STOPPED if expected[name] == OK}
    assert said == expected


# ── transmit, finalise ─────────────────────────────────────────────────────


def test_a_report_waits_for_its_window_and_is_told_to_the_sink_when_final(plant):
    seen = plant.see(1)
    digest = report_digest(plant.market.feed_config, seen)
    fields = {
        "assetId": PLANT,
        "periodId": 1,
        "digest": digest,
        "revision": 0,
        "periodStart": MONTHS_S[0],
        "periodEnd": MONTHS_S[1],
        "observedAt": seen.observed_at,
        "registerWh": MWH,
        "creditedUsd6": 50 * DOLLAR,
        "completenessBps": 10_000,
        "readingsRoot": seen.readings_root,
        "signatureCount": 3,
    }

    sent = plant.send(seen)

    assert events(plant.feed, sent) == ["ReportOpened"]
    event(plant.feed, sent, "ReportOpened", **fields)
    assert events(plant.sink, sent) == []
    assert (plant.status(1), plant.accepted()) == ("Pending", (0, 0))
    assert plant.feed.call("lastPeriodId", PLANT) == 0
    opened = plant.opened()
    assert (opened.periodId, opened.revision, opened.digest) == (1, 0, digest)
    assert (opened.acceptedAt, opened.observedAt) == (sent.timestamp_s, seen.observed_at)
    assert (opened.registerWh, opened.creditedUsd6, opened.challenger) == (MWH, 50 * DOLLAR, ZERO_ADDRESS)

    done = plant.mature(1)

    assert events(plant.feed, done) == ["ReportFinal"]
    event(plant.feed, done, "ReportFinal", **fields)
    event(plant.sink, done, "Taken", assetId=PLANT, periodId=1, registerWh=MWH, creditedUsd6=50 * DOLLAR)
    kept = plant.feed.call("finalReport", PLANT, 1)
    assert (kept.revision, kept.finalisedAt) == (0, done.timestamp_s)
    assert kept.finalisedAt == sent.timestamp_s + WINDOW_S
    assert (plant.status(1), plant.accepted()) == ("Final", (MWH, 50 * DOLLAR))
    assert plant.opened().status == 0
    assert plant.opened().digest == bytes(32), "nothing shows of what is not open"


@pytest.mark.parametrize("after_s", [-1, 0, 1])
def test_the_window_is_half_open(plant, after_s):
    accepted_s = plant.report(1).timestamp_s
    until = accepted_s + WINDOW_S
    chain = plant.market.chain

    mark = chain.snapshot()
    if after_s < 0:
        with reverts("ChallengeWindowOpen", assetId=PLANT, periodId=1, until=until, nowSeconds=until - 1):
            plant.finalise(1, until + after_s)
    else:
        plant.finalise(1, until + after_s)
        assert plant.status(1) == "Final"
    chain.revert(mark)
    if after_s < 0:
        plant.dispute(1, at_s=until + after_s)
        assert plant.status(1) == "Disputed"
    else:
        with reverts("ChallengeWindowOver", until=until, nowSeconds=until + after_s):
            plant.dispute(1, at_s=until + after_s)


def test_finalise_walks_down_its_ladder(plant):
    with reverts("WrongStatus", assetId=PLANT, periodId=1, actual=0, expected=1):
        plant.finalise(1)
    until = plant.report(1).timestamp_s + WINDOW_S
    plant.pull()
    with reverts("WrongStatus", periodId=2, actual=0):
        plant.finalise(2)
    with reverts("ChallengeWindowOpen"):
        plant.finalise(1)
    with reverts("RipcordPulled", assetId=PLANT):
        plant.finalise(1, until)
    plant.reset()

    plant.finalise(1)

    assert plant.status(1) == "Final"


def test_an_unknown_asset_has_no_report_to_act_on(plant):
    with reverts("WrongStatus", actual=0):
        plant.feed.send("finalise", bytes(32), 1, sender=plant.market.stranger)
    with reverts("WrongStatus", actual=0):
        plant.feed.send("dispute", bytes(32), 1, 0, bytes(32), sender=plant.market.third)
    with reverts("OnlyArbiter", arbiter=ZERO_ADDRESS):
        plant.feed.send("resolve", bytes(32), 1, 0, True, sender=plant.arbiter)


def test_a_higher_revision_restarts_the_window(plant):
    plant.report(1, wh=MWH + 1)
    first_s = plant.opened().acceptedAt
    again = plant.send(plant.see(1, 1), at_s=first_s + WINDOW_S - 1)

    assert events(plant.feed, again) == ["ReportOpened"]
    assert plant.opened().acceptedAt == first_s + WINDOW_S - 1
    with reverts("ChallengeWindowOpen"):
        plant.finalise(1, first_s + WINDOW_S)
    plant.mature(1)
    assert plant.accepted()[0] == MWH


def test_signers_who_concede_give_the_bond_back(plant):
    disputed(plant, 1)
    before = books(plant.market)

    receipt = plant.report(1, 1)

    event(plant.feed, receipt, "BondPaid", payee=plant.market.third.address, amount=BOND_USD6)
    assert moved(before, books(plant.market)) == {
        ("usd6", "third"): BOND_USD6,
        ("usd6", "CashflowFeed"): -BOND_USD6,
    }
    assert (plant.status(1), plant.opened().challenger) == ("Pending", ZERO_ADDRESS)


def test_a_revision_may_leave_a_thousand_out_and_no_more(plant):
    with reverts("RevisionOutOfReach", revision=1_001, mostRevision=1_000):
        plant.report(1, 1_001)
    plant.report(1, 1_000)
    with reverts("StaleReport", periodId=1, revision=1_000, lastPeriodId=0, leastRevision=1_001):
        plant.report(1, 1_000)
    with reverts("RevisionOutOfReach", revision=2_002, mostRevision=2_001):
        plant.report(1, 2_002)
    plant.report(1, 2_001)
    assert plant.opened().revision == 2_001


# ── dispute ────────────────────────────────────────────────────────────────


def test_dispute_walks_down_its_ladder(plant):
    market, nobody = plant.market, plant.market.seller
    with reverts("WrongStatus", assetId=PLANT, periodId=1, actual=0, expected=1):
        plant.dispute(1, 9, by=nobody)
    accepted_s = plant.report(1).timestamp_s
    until = accepted_s + WINDOW_S
    with reverts("WrongRevision", assetId=PLANT, periodId=1, actual=9, expected=0):
        plant.dispute(1, 9, by=nobody, at_s=until - 10)
    mark = market.chain.snapshot()
    with reverts("ChallengeWindowOver"):
        plant.dispute(1, by=nobody, at_s=until)
    market.chain.revert(mark)
    with reverts("ERC20InsufficientAllowance"):
        plant.dispute(1, by=nobody)
    allow(market.cash, nobody, plant.feed)
    with reverts("ERC20InsufficientBalance"):
        plant.dispute(1, by=nobody)
    assert plant.status(1) == "Pending"
    before = books(market)

    receipt = plant.dispute(1)

    event(
        plant.feed,
        receipt,
        "ReportDisputed",
        assetId=PLANT,
        periodId=1,
        revision=0,
        challenger=market.third.address,
        evidence=padded("look"),
        bondAmount=BOND_USD6,
    )
    assert moved(before, books(market)) == {
        ("usd6", "third"): -BOND_USD6,
        ("usd6", "CashflowFeed"): BOND_USD6,
    }
    assert (plant.status(1), plant.opened().challenger) == ("Disputed", market.third.address)


HONEST, RETURNS_FALSE, MOVES_NOTHING, FEE_ON_TRANSFER, FEE_ON_TOP, REFUSES, SILENT, REENTERS = range(8)


@pytest.fixture
def hostile(market) -> tuple[Plant, Contract]:
    """A plant whose bond is in a token of bad habits."""
    token = deploy(market.chain, "HostileCash", sender=market.third)
    plant = open_plant(market, bondToken=token.address)
    token.send("mint", market.third.address, 10 * BOND_USD6, sender=market.third)
    allow(token, market.third, market.feed)
    plant.report(1)
    return plant, token


@pytest.mark.parametrize(
    ("mood", "error", "fields"),
    [
        (RETURNS_FALSE, "SafeERC20FailedOperation", {}),
        (MOVES_NOTHING, "BondNotArrived", {"actual": 0, "expected": BOND_USD6}),
        (FEE_ON_TRANSFER, "BondNotArrived", {"actual": BOND_USD6 - 1, "expected": BOND_USD6}),
        (REFUSES, "Refused", {}),
    ],
)
def test_a_bond_that_does_not_come_whole_disputes_nothing(hostile, mood, error, fields):
    plant, token = hostile
    token.send("setMood", mood, sender=plant.market.third)

    with reverts(error, **fields):
        plant.dispute(1)

    assert (plant.status(1), token.call("balanceOf", plant.feed.address)) == ("Pending", 0)


@pytest.mark.parametrize("mood", [HONEST, FEE_ON_TOP])
def test_a_bond_that_comes_whole_disputes(hostile, mood):
    plant, token = hostile
    token.send("setMood", mood, sender=plant.market.third)

    plant.dispute(1)

    assert (plant.status(1), token.call("balanceOf", plant.feed.address)) == ("Disputed", BOND_USD6)


@pytest.mark.parametrize("call", ["dispute", "finalise", "releaseBond", "deliver"])
def test_a_bond_token_cannot_come_back_in(hostile, call):
    plant, token = hostile
    args = {
        "dispute": (PLANT, 1, 0, bytes(32)),
        "finalise": (PLANT, 1),
        "releaseBond": (token.address, plant.market.third.address),
        "deliver": (PLANT, 1),
    }[call]
    hook = plant.feed.transaction(call, *args, sender=plant.market.third)
    token.send("setHook", plant.feed.address, hook.data, sender=plant.market.third)
    token.send("setMood", REENTERS, sender=plant.market.third)

    receipt = plant.dispute(1)

    back = event(token, receipt, "Reentered", ok=False)
    assert back["result"][:4] == bytes.fromhex("3ee5aeb5"), "ReentrancyGuardReentrantCall"
    assert token.call("balanceOf", plant.feed.address) == BOND_USD6


# ── resolve ────────────────────────────────────────────────────────────────


def test_resolve_walks_down_its_ladder(plant):
    with reverts("OnlyArbiter", caller=plant.market.deal.admin.address, arbiter=plant.arbiter.address):
        plant.resolve(1, True, 9, by=plant.market.deal.admin)
    with reverts("WrongStatus", assetId=PLANT, periodId=1, actual=0, expected=3):
        plant.resolve(1, True, 9)
    plant.report(1)
    plant.pull()
    with reverts("WrongStatus", actual=1, expected=3):
        plant.resolve(1, True, 9)
    plant.dispute(1)
    with reverts("WrongRevision", assetId=PLANT, periodId=1, actual=9, expected=0):
        plant.resolve(1, True, 9)
    with reverts("RipcordPulled", assetId=PLANT):
        plant.resolve(1, True)
    plant.reset()

    plant.resolve(1, True)

    assert plant.status(1) == "Final"


def test_a_report_that_stands_is_final_at_once_and_the_bond_is_lost(plant):
    disputed(plant, 1)
    before = books(plant.market)

    receipt = plant.resolve(1, True)

    assert events(plant.feed, receipt) == ["ReportResolved", "ReportFinal", "BondPaid"]
    event(
        plant.feed,
        receipt,
        "ReportResolved",
        assetId=PLANT,
        periodId=1,
        revision=0,
        stands=True,
        arbiter=plant.arbiter.address,
    )
    event(plant.sink, receipt, "Taken", periodId=1)
    assert moved(before, books(plant.market)) == {
        ("usd6", "sponsor"): BOND_USD6,
        ("usd6", "CashflowFeed"): -BOND_USD6,
    }
    assert receipt.timestamp_s < plant.see(1).observed_at + WINDOW_S, "the arbiter need not wait"


def test_a_report_that_does_not_stand_is_rejected_and_the_bond_goes_back(plant):
    seen = plant.see(1, wh=9 * MWH)
    plant.send(seen)
    plant.dispute(1)
    before = books(plant.market)

    receipt = plant.resolve(1, False)

    assert events(plant.feed, receipt) == ["ReportResolved", "BondPaid"]
    event(plant.feed, receipt, "ReportResolved", stands=False)
    assert events(plant.sink, receipt) == []
    assert moved(before, books(plant.market)) == {
        ("usd6", "third"): BOND_USD6,
        ("usd6", "CashflowFeed"): -BOND_USD6,
    }
    assert (plant.status(1), plant.accepted()) == ("Rejected", (0, 0))
    with reverts("StaleReport", periodId=1, revision=0, leastRevision=1):
        plant.send(seen)
    plant.report(1, 1)
    plant.mature(1)
    assert plant.accepted() == (MWH, 50 * DOLLAR)


def test_a_held_report_has_no_bond_to_pay(strict):
    held(strict, 1)
    before = books(strict.market)

    receipt = strict.resolve(1, True)

    assert events(strict.feed, receipt) == ["ReportResolved", "ReportFinal"]
    assert moved(before, books(strict.market)) == {}


def test_a_rejected_revision_stays_rejected_whatever_comes_in_between(strict):
    """A correction of period 1 opens and closes while period 2 is rejected, and the other way round."""
    final(strict)
    bad = strict.see(2, 3, completeness_bps=1)
    strict.send(bad)
    strict.resolve(2, False, 3)
    rejected(strict, 1, 1)
    strict.report(1, 2, wh=MWH - 1)
    strict.mature(1)

    with reverts("StaleReport", periodId=2, revision=3, lastPeriodId=1, leastRevision=4):
        strict.send(bad)
    strict.report(2, 4)
    with reverts("OtherReportOpen", assetId=PLANT, openPeriodId=2, status=1):
        strict.report(1, 3)
    strict.mature(2)
    assert strict.accepted()[0] == 2 * MWH


# ── bonds that cannot be paid ──────────────────────────────────────────────


@pytest.mark.parametrize("stands", [True, False])
def test_a_payee_that_cannot_receive_is_parked_and_paid_later(plant, stands):
    market = plant.market
    payee = market.deal.sponsor if stands else market.third
    disputed(plant, 1)
    block(market, payee)
    before = books(market)

    receipt = plant.resolve(1, stands)

    event(plant.feed, receipt, "BondParked", token=market.cash.address, payee=payee.address, amount=BOND_USD6)
    assert plant.status(1) == ("Final" if stands else "Rejected")
    assert moved(before, books(market)) == {}

    def release(who=payee):
        return plant.feed.send("releaseBond", market.cash.address, who.address, sender=market.stranger)

    with reverts("NoBondParked", token=market.cash.address, payee=market.buyer.address):
        release(market.buyer)
    with reverts("BondNotReceivable", token=market.cash.address, payee=payee.address, amount=BOND_USD6):
        release()
    block(market, payee, False)
    released = release()
    event(plant.feed, released, "BondReleased", payee=payee.address, amount=BOND_USD6)
    assert moved(before, books(market)) == {
        ("usd6", payee.label): BOND_USD6,
        ("usd6", "CashflowFeed"): -BOND_USD6,
    }
    with reverts("NoBondParked"):
        release()


@pytest.mark.parametrize("mood", [RETURNS_FALSE, REFUSES, SILENT])
def test_a_token_that_refuses_stops_neither_arbiter_nor_signers(hostile, mood):
    plant, token = hostile
    for period, end in ((1, lambda: plant.report(1, 1)), (1, lambda: plant.resolve(1, False, 1))):
        token.send("setMood", HONEST, sender=plant.market.third)
        plant.dispute(period, plant.opened().revision)
        token.send("setMood", mood, sender=plant.market.third)
        event(plant.feed, end(), "BondParked", payee=plant.market.third.address)

    token.send("setMood", HONEST, sender=plant.market.third)
    plant.feed.send("releaseBond", token.address, plant.market.third.address, sender=plant.market.buyer)

    assert token.call("balanceOf", plant.market.third.address) == 10 * BOND_USD6
    assert token.call("balanceOf", plant.feed.address) == 0


# ── ripcord ────────────────────────────────────────────────────────────────


def test_the_ripcord_walks_down_its_ladder(plant):
    auditor, role = plant.market.buyer, plant.feed.call("RIPCORD_ROLE")
    with reverts("AccessControlUnauthorizedAccount", account=auditor.address, neededRole=role):
        plant.pull(auditor)
    plant.feed.send("grantRole", role, auditor.address, sender=plant.market.deal.admin)
    with reverts("UnknownAsset", assetId=bytes(32)):
        plant.feed.send("pullRipcord", bytes(32), bytes(32), sender=auditor)
    with reverts("RipcordNotPulled", assetId=PLANT):
        plant.reset()
    receipt = plant.pull(auditor)
    event(
        plant.feed, receipt, "RipcordSet", assetId=PLANT, by=auditor.address, reason=padded("meter on fire")
    )
    assert plant.feed.call("isRipcordPulled", PLANT)
    with reverts("RipcordPulled", assetId=PLANT):
        plant.pull()
    with reverts("AccessControlUnauthorizedAccount", account=auditor.address):
        plant.feed.send("resetRipcord", PLANT, sender=auditor)
    event(plant.feed, plant.reset(), "RipcordReset", assetId=PLANT, by=plant.market.deal.admin.address)
    assert not plant.feed.call("isRipcordPulled", PLANT)


def test_while_pulled_a_report_that_would_be_final_at_once_waits(market):
    plant = open_plant(market, challengeWindowS=0)
    plant.pull()

    assert events(plant.feed, plant.report(1)) == ["ReportOpened"]
    with reverts("ChallengeWindowOver"):
        plant.dispute(1)
    with reverts("RipcordPulled"):
        plant.finalise(1)
    plant.reset()
    assert events(plant.feed, plant.finalise(1)) == ["ReportFinal"]
    assert plant.status(1) == "Final"


def test_without_a_window_a_higher_revision_ends_the_one_that_waited(market):
    plant = open_plant(market, challengeWindowS=0)
    plant.pull()
    plant.report(1, wh=9 * MWH)
    plant.reset()

    receipt = plant.report(1, 1)

    assert events(plant.feed, receipt) == ["ReportFinal"]
    assert plant.accepted()[0] == MWH
    with reverts("WrongStatus", actual=5):
        plant.finalise(1)


def test_one_asset_stops_and_another_goes_on(plant):
    plant.pull()
    config = config_of(plant.market, GUARDED, challengeWindowS=0)
    other = b"another".ljust(32, b"\0")
    plant.feed.send("registerAsset", other, config, sender=plant.market.deal.admin)

    neighbour = Plant(plant.market, plant.sink, other)

    assert events(plant.feed, neighbour.report(1)) == ["ReportFinal"]
