"""Gas against the budgets the suite was built to, whole transactions on cancun

Each figure is measured here, kept in a reviewed golden file, and compared with its budget. A budget that is missed is
named with its reason in `docs/gas.md`; it may not get worse, and a figure that meets its budget may not miss it later.

bond, with an identity registry in force and all wallets registered
├── transfer to a holder / to a wallet without units
└── the first after a record date, both owing their past / to a wallet without units
coupons
├── declare and fund in one transaction: equal for few and for many holders
└── claimMany of 200, the first coupon and the second
oracle
└── report of 3, 4 and 5 of five signers, no sink
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.config import FeedConfig
from oracles.eip712 import report_digest
from oracles.keys import SecretKey
from oracles.schema import Report
from rwa_sim.chain.contract import deploy
from rwa_sim.chain.deploy import NOBODY, encode_feed
from rwa_sim.chain.engine import Account
from rwa_sim.chain.identity import Identity, deploy_registry
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    DOLLAR,
    ISSUE_S,
    Market,
    fund,
    issue,
    open_coupon_desk,
    record_on,
    transfer,
    wait_until,
)

GAS = 100_000_000
BUDGET = {
    "transfer, existing": 45_000,
    "transfer, new": 62_000,
    "transfer, first after a record date, existing": 120_000,
    "transfer, first after a record date, new": 150_000,
    "declare and fund, second coupon": 140_000,
    "claim of 200, second coupon, each": 21_000,
    "report, 3 of 5": 81_000,
    "report, each further signature": 9_000,
}
MISSED = {"report, 3 of 5", "claim of 200, second coupon, each"}  # reasons in docs/gas.md


def admit(market: Market, registry, people: list[Account]) -> None:
    wallets = {who.address: Identity(identity=who.address) for who in people}
    for start in range(0, len(people), 100):
        page = dict(list(wallets.items())[start : start + 100])
        registry.send(
            "register",
            list(page),
            [identity.to_abi() for identity in page.values()],
            sender=market.deal.admin,
            gas=GAS,
        )


@pytest.fixture
def registry(market):
    return deploy_registry(market.chain, [market.bond], market.deal.admin)


def bond_figures(market: Market, registry) -> dict[str, int]:
    people = [market.chain.account(f"registered {number}") for number in range(6)]
    admit(market, registry, people)
    one, two, three, four, *_ = people
    for who in (one, two, three):
        issue(market, who, 100)
    record_s = market.now_s + DAY_S
    figures = {"transfer, existing": transfer(market.bond, one, two, 1).gas_used}
    figures["transfer, new"] = transfer(market.bond, one, four, 1).gas_used
    stranger = market.chain.account("registered late")
    market.bond.send("setIdentityRegistry", NOBODY, sender=market.deal.admin)
    figures["transfer, new, wallet never seen"] = transfer(market.bond, one, stranger, 1).gas_used
    market.bond.send("setIdentityRegistry", registry.address, sender=market.deal.admin)
    admit(market, registry, people)
    record_on(market, record_s)
    wait_until(market.chain, record_s + 1)
    first = transfer(market.bond, one, two, 1)
    figures["transfer, first after a record date, existing"] = first.gas_used
    figures["transfer, first after a record date, new"] = transfer(market.bond, three, people[5], 1).gas_used
    return figures


def coupon_figures(market: Market, registry, count: int) -> dict[str, int]:
    """Two coupons of a bond with that many holders; the page of 200 is of the second."""
    holders = [market.chain.account(f"holder {number}") for number in range(count)]
    admit(market, registry, holders)
    for start in range(0, count, 100):
        calls = [
            market.bond.transaction("mint", who.address, 5, b"", sender=market.issuer)
            for who in holders[start : start + 100]
        ]
        assert all(receipt.ok for receipt in market.chain.submit(calls, None))
    desk = open_coupon_desk(market)
    figures = {}
    fund(market, desk.keeper, 100_000 * DOLLAR)
    for number, name in ((1, "first coupon"), (2, "second coupon"), (3, "third coupon")):
        record_s = market.now_s + 100
        terms = (number, record_s, 9_000 * DOLLAR, 9_000 * DOLLAR, 1_000 * DOLLAR)
        told = desk.distributor.send("declareAndFund", *terms, sender=desk.keeper)
        figures[f"declare and fund, {name}"] = told.gas_used
        wait_until(market.chain, record_s + 1)
    page = [who.address for who in holders[:200]]
    for number, name in ((1, "first coupon"), (2, "second coupon")):
        claimed = desk.distributor.send("claimMany", number, page, sender=market.stranger, gas=GAS)
        figures[f"claim of {len(page)}, {name}, each"] = claimed.gas_used // len(page)
    return figures


def report_figures(market: Market) -> dict[str, int]:
    """Second report of five nodes, so that no slot is new for the asset; each in a feed of its own."""
    admin = market.deal.admin
    nodes = sorted(
        (market.chain.account(f"signer {n}") for n in range(5)), key=lambda node: int(node.address, 16)
    )
    figures = {}
    for count in (3, 4, 5):
        feed = deploy(market.chain, "CashflowFeed", admin.address, sender=admin)
        config = {
            "signers": [node.address for node in nodes],
            "quorum": 3,
            "faultTolerance": 1,
            "firstPeriodStart": ISSUE_S,
            "sink": NOBODY,
        } | encode_feed()
        feed.send("registerAsset", ASSET, config, sender=admin)
        place = FeedConfig(
            chain_id=market.chain.chain_id,
            feed=feed.address,
            asset_id=ASSET,
            signers=tuple(node.address for node in nodes),
            quorum=3,
            fault_tolerance=1,
        )
        for period in (1, 2):
            report = Report(
                config_digest=feed.call("configDigest", ASSET),
                asset_id=ASSET,
                period_id=period,
                revision=0,
                period_start=ISSUE_S + (period - 1) * DAY_S,
                period_end=ISSUE_S + period * DAY_S,
                observed_at=ISSUE_S + period * DAY_S + 60,
                expires_at=ISSUE_S + 400 * DAY_S,
                completeness_bps=10_000,
                readings_root=bytes([period]) * 32,
                registers_wh=(1_000_000 * period,) * 3,
                credited_usd6=(5_000_000 * period,) * 3,
            )
            digest = report_digest(replace(place), report)
            signatures = [SecretKey(node.key).sign(digest) for node in nodes[:count]]
            at_s = max(report.observed_at, market.now_s + 1)
            told = feed.send("transmit", report.to_abi(), signatures, sender=market.stranger, at_s=at_s)
        figures[f"report, {count} of 5"] = told.gas_used
    figures["report, each further signature"] = (figures["report, 5 of 5"] - figures["report, 3 of 5"]) // 2
    return figures


def test_gas_is_within_its_budgets(market, registry, golden):
    mark = market.chain.snapshot()
    figures = bond_figures(market, registry)
    market.chain.revert(mark)
    mark = market.chain.snapshot()
    figures |= report_figures(market)
    market.chain.revert(mark)
    figures |= coupon_figures(market, registry, 200)

    golden("gas_budgets.json", figures)
    missed = {name for name, budget in BUDGET.items() if figures[name] > budget}
    assert missed == MISSED, {name: (figures[name], BUDGET[name]) for name in missed | MISSED}


def test_declaring_and_funding_costs_the_same_for_few_and_for_many_holders(market, registry):
    mark = market.chain.snapshot()
    few = coupon_figures(market, registry, 10)
    market.chain.revert(mark)
    many = coupon_figures(market, registry, 600)

    names = [name for name in few if name.startswith("declare")]
    assert {name: few[name] for name in names} == {name: many[name] for name in names}
