"""The migration drill: a coupon ledger is stopped in mid-life and replaced

pause
├── when the caller is not the guardian                 reverts AccessControlUnauthorizedAccount
└── otherwise                                           stops declaring, funding, claiming, releasing, expiring

handOver
├── when the caller is not the admin                    reverts AccessControlUnauthorizedAccount
├── given the ledger is not paused                      reverts ExpectedPause
├── given it was handed over before                     reverts HandedOverTo
├── when to a ledger of another bond, cash or predecessor  reverts WrongSuccessor
└── otherwise                                           gives all cash to the successor, and never goes on

takeOver
├── when the caller is not the admin                    reverts AccessControlUnauthorizedAccount
├── given coupons of its own                            reverts AlreadyTakenOver
├── given nothing was handed over to it                 reverts NotHandedOver
├── given less cash than the ledger says                reverts CashMissing
└── otherwise                                           stands where the predecessor stood

Waterfall.replaceDistributor
├── when the caller is not the governor                 reverts OnlyGovernor
├── when not to the ledger that was handed over to      reverts NotTheSuccessor
├── given that one counts other coupons                 reverts CouponCountMismatch
└── otherwise                                           the next report pays through it

the drill
├── what every holder is owed, in arrears, parked, served: equal before and after, coupon by coupon
├── the life goes on to the same last cent as without any migration
└── a second migration on top of the first: the same
"""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import NO_COUPON_TERMS, NOBODY, DealClass, deploy_distributor
from tests.conftest import reverts
from tests.contracts.kit import (
    ASSET,
    DOLLAR,
    PERIOD_COUNT,
    UNITS,
    Market,
    WaterfallDesk,
    block,
    cash_of,
    event,
    fund,
    issue,
    observe,
    open_coupon_desk,
    open_waterfall,
    rolled_back,
    transmit,
    wait_until,
)

DENIED = "AccessControlUnauthorizedAccount"
GUARDIAN_ROLE, ENGINE_ROLE = keccak(text="GUARDIAN_ROLE"), keccak(text="ENGINE_ROLE")
TERMS = NO_COUPON_TERMS | {"withholdingBps": 1_500}
# dollars that arrive in each month: too little in March and April, so that arrears are open at the migration
INCOME = (9_500, 9_400, 300, 200, 9_000, 9_900, 9_300, 9_100, 9_000, 8_900, 9_500, 30_000)
MIGRATION_PERIOD = 5
HONEST, FEE_ON_TRANSFER = 0, 3  # HostileCash.Mood


@pytest.fixture
def deal(market) -> WaterfallDesk:
    """A waterfall whose ledger has a guardian and withholds tax; the bond is with five holders of odd sizes."""
    admin = market.deal.admin
    ledger = deploy_distributor(
        market.chain, market.bond, market.cash, admin, TERMS | {"taxPayee": market.servicer.address}
    )
    ledger.send("grantRole", GUARDIAN_ROLE, admin.address, sender=admin)
    classes = [DealClass(name="A", bond=market.bond, distributor=ledger)]
    desk = open_waterfall(market, classes=classes)
    for who, units in zip(holders(market), (333, 300, 200, 100, UNITS - 933), strict=False):
        issue(market, who, units)
    return desk


def holders(market: Market):
    """Five investors; the sixth wallet takes the place of the fifth, which is lost in June."""
    named = (market.chain.account(name) for name in ("fifth", "sixth"))
    return (market.seller, market.buyer, market.third, market.stranger, *named)


def addresses(market: Market) -> list[str]:
    return [who.address for who in holders(market)]


def heir_of(market: Market, ledger: Contract, **changes) -> Contract:
    """A ledger that is to replace another one."""
    admin = market.deal.admin
    heir = deploy_distributor(
        market.chain,
        changes.get("bond", market.bond),
        changes.get("cash", market.cash),
        admin,
        TERMS | {"taxPayee": market.servicer.address},
        predecessor=changes.get("predecessor", ledger),
    )
    heir.send("grantRole", GUARDIAN_ROLE, admin.address, sender=admin)
    return heir


def migrate(desk: WaterfallDesk, ledger: Contract) -> Contract:
    """The drill: pause, deploy, hand over, take over, put in place, move the roles."""
    market, admin = desk.market, desk.market.deal.admin
    ledger.send("pause", sender=admin)
    heir = heir_of(market, ledger)
    ledger.send("handOver", heir.address, sender=admin)
    heir.send("takeOver", sender=admin)
    heir.send("grantRole", ENGINE_ROLE, desk.waterfall.address, sender=admin)
    desk.waterfall.send("replaceDistributor", 0, heir.address, sender=admin)
    market.bond.send("revokeRole", market.bond.call("RECORD_ROLE"), ledger.address, sender=admin)
    return heir


def standing(market: Market, ledger: Contract) -> dict[str, object]:
    """All that a ledger owes and has done, holder by holder and coupon by coupon."""
    numbers = range(1, ledger.call("lastCouponId") + 1)
    views = ("owedUsd6", "arrearsOfUsd6", "parkedUsd6", "isServed", "arrearsServedUsd6", "isArrearsClosed")
    totals = (
        "lastCouponId",
        "carryUsd6",
        "heldUsd6",
        "withheldUsd6",
        "arrearsBookedUsd6",
        "arrearsPaidUsd6",
        "arrearsWrittenOffUsd6",
    )
    told: dict[str, object] = {name: ledger.call(name) for name in totals}
    told["coupons"] = [ledger.call("coupon", number) for number in numbers]
    for view in views:
        told[view] = [[ledger.call(view, number, who) for who in addresses(market)] for number in numbers]
    return told


def month(desk: WaterfallDesk, ledger: Contract, period: int) -> None:
    """A month of an untidy life: late, partial and doubled pages, a payee that is blocked, another that is frozen."""
    market, keeper, admin = desk.market, desk.market.stranger, desk.market.deal.admin
    desk.earn(period, INCOME[period - 1] * DOLLAR)
    last = ledger.call("lastCouponId")
    wait_until(market.chain, market.now_s + 2)
    block(market, market.buyer, period in (2, 3, 5))
    market.bond.send("setAddressFrozen", market.third.address, period in (4, 5), sender=admin)
    everybody = addresses(market)
    if last:
        ledger.send("claimMany", last, everybody[: period % 5 + 1], sender=keeper)
    for number in range(1, last + 1):
        ledger.send("claimArrears", number, everybody[period % 3 :], sender=keeper)
    if period == 6:
        market.bond.send("recoveryAddress", everybody[4], everybody[5], NOBODY, sender=admin)


def tidy_up(desk: WaterfallDesk, ledger: Contract) -> dict[str, int]:
    """Everybody claims everything; who got how much in the end."""
    market, keeper = desk.market, desk.market.stranger
    block(market, market.buyer, False)
    market.bond.send("setAddressFrozen", market.third.address, False, sender=market.deal.admin)
    for number in range(1, ledger.call("lastCouponId") + 1):
        ledger.send("claimMany", number, addresses(market), sender=keeper)
        ledger.send("claimArrears", number, addresses(market), sender=keeper)
        for who in addresses(market):
            if ledger.call("parkedUsd6", number, who):
                ledger.send("releaseParked", number, who, sender=keeper)
    ledger.send("remitTax", sender=keeper)
    people = {who.label: cash_of(market, who) for who in (*holders(market), market.servicer)}
    left = {"in the ledger": cash_of(market, ledger), "carry": ledger.call("carryUsd6")}
    return people | left | {"in the waterfall": cash_of(market, desk.waterfall)}


def live(desk: WaterfallDesk, ledger: Contract, migrations: tuple[int, ...]) -> dict[str, int]:
    for period in range(1, PERIOD_COUNT + 1):
        month(desk, ledger, period)
        if period in migrations:
            before = standing(desk.market, ledger)
            assert any(any(row) for row in before["arrearsOfUsd6"]), "arrears are open"
            assert any(any(row) for row in before["parkedUsd6"]), "something is parked"
            assert any(any(row) for row in before["owedUsd6"]), "somebody has not claimed"
            old, ledger = ledger, migrate(desk, ledger)
            assert standing(desk.market, ledger) == before
            assert cash_of(desk.market, old) == 0
    return tidy_up(desk, ledger)


def test_a_ledger_replaced_in_mid_life_ends_to_the_same_cent(market, deal):
    with rolled_back(market.chain):
        undisturbed = live(deal, deal.distributor, migrations=())

    replaced = live(deal, deal.distributor, migrations=(MIGRATION_PERIOD,))

    assert replaced == undisturbed
    assert replaced["in the ledger"] == replaced["carry"]
    assert sum(replaced[who.label] for who in holders(market)) > 100_000 * DOLLAR


def test_a_ledger_can_be_replaced_twice(market, deal):
    with rolled_back(market.chain):
        undisturbed = live(deal, deal.distributor, migrations=())

    assert live(deal, deal.distributor, migrations=(4, 5)) == undisturbed


def test_a_paused_ledger_does_nothing(market, deal):
    ledger, admin = deal.distributor, market.deal.admin
    deal.earn(1, INCOME[0] * DOLLAR)
    wait_until(market.chain, market.now_s + 2)
    with reverts(DENIED, account=market.stranger.address, neededRole=GUARDIAN_ROLE):
        ledger.send("pause", sender=market.stranger)
    ledger.send("pause", sender=admin)
    engine = market.chain.account("keeper")
    ledger.send("grantRole", ENGINE_ROLE, engine.address, sender=admin)

    for function, args in (
        ("declare", (2, market.now_s + 100, 1, 1, 0)),
        ("fund", (1,)),
        ("fundArrears", (0,)),
        ("writeOffArrears", ()),
        ("claimMany", (1, [market.seller.address])),
        ("claim", (1,)),
        ("claimArrears", (1, [market.seller.address])),
        ("releaseParked", (1, market.seller.address)),
        ("expire", (1,)),
        ("remitTax", ()),
    ):
        with reverts("EnforcedPause"):
            ledger.send(function, *args, sender=engine)
    with reverts(DENIED, account=market.stranger.address, neededRole=GUARDIAN_ROLE):
        ledger.send("unpause", sender=market.stranger)
    ledger.send("unpause", sender=admin)
    ledger.send("claim", 1, sender=market.seller)


def test_hand_over_walks_down_its_ladder(market, deal):
    ledger, admin = deal.distributor, market.deal.admin
    deal.earn(1, INCOME[0] * DOLLAR)
    heir = heir_of(market, ledger)
    strangers = heir_of(market, ledger, predecessor=heir)
    held = cash_of(market, ledger)

    with reverts(DENIED, account=market.stranger.address, neededRole=bytes(32)):
        ledger.send("handOver", heir.address, sender=market.stranger)
    with reverts("ExpectedPause"):
        ledger.send("handOver", heir.address, sender=admin)
    ledger.send("pause", sender=admin)
    with reverts("WrongSuccessor", bond=market.bond.address, cash=market.cash.address):
        ledger.send("handOver", strangers.address, sender=admin)
    with reverts("WrongSuccessor", cash=market.bond.address):
        ledger.send("handOver", heir_of(market, ledger, cash=market.bond).address, sender=admin)
    receipt = ledger.send("handOver", heir.address, sender=admin)

    event(ledger, receipt, "HandedOver", successor=heir.address, cashUsd6=held)
    assert (cash_of(market, ledger), cash_of(market, heir)) == (0, held)
    with reverts("HandedOverTo", successor=heir.address):
        ledger.send("handOver", heir.address, sender=admin)
    with reverts("HandedOverTo", successor=heir.address):
        ledger.send("unpause", sender=admin)


def test_take_over_walks_down_its_ladder(market, deal):
    ledger, admin = deal.distributor, market.deal.admin
    deal.earn(1, INCOME[0] * DOLLAR)
    heir = heir_of(market, ledger)

    with reverts(DENIED, account=market.stranger.address, neededRole=bytes(32)):
        heir.send("takeOver", sender=market.stranger)
    with reverts("NotHandedOver", predecessor=ledger.address, actual=NOBODY, expected=heir.address):
        heir.send("takeOver", sender=admin)
    ledger.send("pause", sender=admin)
    ledger.send("handOver", heir.address, sender=admin)
    receipt = heir.send("takeOver", sender=admin)

    held = ledger.call("heldUsd6")
    event(heir, receipt, "TakenOver", predecessor=ledger.address, lastCouponId=1, heldUsd6=held)
    with reverts("AlreadyTakenOver", lastCouponId=1):
        heir.send("takeOver", sender=admin)


def test_cash_that_is_missing_stops_the_take_over(market):
    """The cash token has shrunk the ledger's balance: the hole must be filled before life goes on."""
    admin, keeper = market.deal.admin, market.chain.account("keeper")
    cash = deploy(market.chain, "HostileCash", sender=admin)
    desk = open_coupon_desk(market, cash)
    ledger = desk.distributor
    ledger.send("grantRole", GUARDIAN_ROLE, admin.address, sender=admin)
    issue(market, market.seller, 1)
    cash.send("mint", keeper.address, 100, sender=admin)
    ledger.send("declare", 1, market.now_s + 5, 100, 100, 0, sender=keeper)
    ledger.send("fund", 1, sender=keeper)
    heir = heir_of(market, ledger, cash=cash)
    ledger.send("pause", sender=admin)
    cash.send("setMood", FEE_ON_TRANSFER, sender=admin)
    ledger.send("handOver", heir.address, sender=admin)
    cash.send("setMood", HONEST, sender=admin)
    missing = 100 - cash.call("balanceOf", heir.address)
    assert missing > 0

    with reverts("CashMissing", actualUsd6=100 - missing, expectedUsd6=100):
        heir.send("takeOver", sender=admin)
    cash.send("mint", heir.address, missing, sender=admin)
    heir.send("takeOver", sender=admin)

    assert heir.call("owedUsd6", 1, market.seller.address) == 100
    assert heir.call("heldUsd6") == 100


def test_replace_distributor_walks_down_its_ladder(market, deal):
    ledger, admin = deal.distributor, market.deal.admin
    deal.earn(1, INCOME[0] * DOLLAR)
    heir = heir_of(market, ledger)

    def replace(by=admin, to=None):
        return deal.waterfall.send("replaceDistributor", 0, (to or heir).address, sender=by)

    with reverts("OnlyGovernor", caller=market.stranger.address, governor=admin.address):
        replace(by=market.stranger)
    with reverts("NotTheSuccessor", classIndex=0, actual=heir.address, expected=NOBODY):
        replace()
    ledger.send("pause", sender=admin)
    ledger.send("handOver", heir.address, sender=admin)
    with reverts("NotTheSuccessor", classIndex=0, actual=ledger.address, expected=heir.address):
        replace(to=ledger)
    with reverts("CouponCountMismatch", classIndex=0, actual=0, expected=1):
        replace()
    heir.send("takeOver", sender=admin)
    receipt = replace()

    event(
        deal.waterfall,
        receipt,
        "DistributorReplaced",
        classIndex=0,
        previous=ledger.address,
        next=heir.address,
    )
    assert deal.waterfall.call("classTerms", 0).distributor == heir.address


def test_what_the_predecessor_parked_is_released_once(market, deal):
    ledger, page = deal.distributor, [market.buyer.address]
    deal.earn(1, INCOME[0] * DOLLAR)
    wait_until(market.chain, market.now_s + 2)
    block(market, market.buyer)
    ledger.send("claimMany", 1, page, sender=market.stranger)
    parked = ledger.call("parkedUsd6", 1, *page)
    block(market, market.buyer, False)
    heir = migrate(deal, ledger)
    before = cash_of(market, market.buyer)

    heir.send("releaseParked", 1, *page, sender=market.stranger)
    with reverts("NothingParked", couponId=1, holder=market.buyer.address):
        heir.send("releaseParked", 1, *page, sender=market.stranger)

    assert cash_of(market, market.buyer) - before == parked > 0
    assert heir.call("parkedUsd6", 1, *page) == 0


def test_a_report_that_meets_a_paused_ledger_is_delivered_after_the_replacement(market):
    """The feed keeps the report; the pause costs time, no cash."""
    deal, admin = market.deal, market.deal.admin
    issue(market, market.seller, UNITS)
    ledger = market.distributor
    ledger.send("pause", sender=admin)
    fund(market, market.waterfall, 9_000 * DOLLAR)

    told = transmit(market, observe(market, 1, 0, 9_000 * DOLLAR))

    event(market.feed, told, "DeliveryFailed", assetId=ASSET, periodId=1)
    heir = deploy_distributor(market.chain, market.bond, market.cash, admin, predecessor=ledger)
    ledger.send("handOver", heir.address, sender=admin)
    heir.send("takeOver", sender=admin)
    heir.send("grantRole", ENGINE_ROLE, market.waterfall.address, sender=admin)
    deal.waterfall.send("replaceDistributor", 0, heir.address, sender=admin)
    market.feed.send("deliver", ASSET, 1, sender=market.stranger)
    assert heir.call("coupon", 1).status == 2
    assert cash_of(market, heir) == heir.call("heldUsd6") > 0
