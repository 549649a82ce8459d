"""A coupon to many holders of a permissioned bond on revm: issued, funded, paid page by page, every payment checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rwa_sim.bench.tape_market import WORLD
from rwa_sim.chain.codec import checksum
from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Transaction
from rwa_sim.chain.hashing import keccak
from rwa_sim.chain.identity import Identity
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.domain.waterfall import share_down
from rwa_sim.errors import ResultFailed
from rwa_sim.memory import resident_bytes
from rwa_sim.rails.columns import Market, Tape
from rwa_sim.rails.tokenised.pages import push_pages
from rwa_sim.rails.tokenised.sample_deal import open_stage
from rwa_sim.rails.tokenised.stage import Stage
from rwa_sim.sampling import rail_terms

SEED = 0
WALLETS = 200  # registered by one call, as many as the registry takes
REGISTER_GAS, MINT_GAS = 30_000_000, 400_000
CALLS = 1_000  # of a block while units are issued
INTEREST_USD6_PER_UNIT = 1_234_567
WARM_UP_S = 10


@dataclass(frozen=True, slots=True)
class Paid:
    """A coupon that reached every holder.

    Attributes:
        seconds: from the declaration to the block after the last payment, every payment read and checked.
        most_bytes: most memory the process held then; 0 where the system does not say.
    """

    holders: int
    seconds: float
    most_bytes: int

    @property
    def us_per_holder(self) -> float:
        """Microseconds a holder."""
        return 1e6 * self.seconds / self.holders


def pay_coupon(holders: int) -> Paid:
    """Issue units to so many registered wallets, then declare, fund and pay one coupon.

    Raises:
        ResultFailed: a payment is not the exact share, or a holder was left out.
        Reverted: a contract refused.
    """
    with RevmEngine(SEED) as engine:
        stage = open_stage(_market(holders), rail_terms(WORLD), engine)
        units = {checksum(keccak(b"holder %d" % n)[12:]): 1 + n % 97 for n in range(holders)}
        _issue(stage, units)
        funded_usd6 = sum(units.values()) * INTEREST_USD6_PER_UNIT
        cash = _fund(stage, funded_usd6)
        start = time.perf_counter()
        most_bytes = _pay(stage, units, funded_usd6)
        engine.submit([])  # what revm put off until the next block belongs to the coupon
        seconds = time.perf_counter() - start
        _require_paid(cash, units, funded_usd6)
    return Paid(holders, seconds, most_bytes)


def _market(holders: int) -> Market:
    """Nobody trades; the issue is large enough."""
    nothing = np.zeros(0, np.int64)
    return Market(
        participants=("issuer", "investor"),
        instruments=("NOTE",),
        opening_units=np.array([[97 * holders], [0]], np.int64),
        opening_cash_usd6=np.zeros(2, np.int64),
        tape=Tape(
            executed_at_s=nothing,
            instrument=nothing,
            seller=nothing,
            buyer=nothing,
            units=nothing,
            cash_usd6=nothing,
        ),
    )


def _issue(stage: Stage, units: dict[str, int]) -> None:
    deal, wallets = stage.deal, list(units)
    registry = deal.registry
    if registry is None:
        raise ResultFailed("the deal is not permissioned")
    _send(
        stage,
        registry,
        [
            registry.transaction(
                "register",
                wallets[start : start + WALLETS],
                [Identity(identity=wallet).to_abi() for wallet in wallets[start : start + WALLETS]],
                sender=deal.admin,
                gas=REGISTER_GAS,
            )
            for start in range(0, len(wallets), WALLETS)
        ],
        most=CALLS // 20,
    )
    minted = [
        deal.bond.transaction("mint", wallet, count, b"", sender=deal.admin, gas=MINT_GAS)
        for wallet, count in units.items()
    ]
    _send(stage, deal.bond, minted, most=CALLS)


def _send(stage: Stage, contract: Contract, transactions: Sequence[Transaction], most: int) -> None:
    for start in range(0, len(transactions), most):
        for receipt in stage.engine.submit(transactions[start : start + most]):
            if not receipt.ok:
                raise decode_revert(receipt.revert_data, contract.name)


def _fund(stage: Stage, amount_usd6: int) -> Contract:
    """The cash the ledger pays in, with the coupon's money ready; the admin stands in for the waterfall."""
    deal = stage.deal
    distributor, admin = deal.distributor, deal.admin
    cash = Contract(stage.engine, "Stablecoin", distributor.call("CASH"))
    distributor.send("grantRole", distributor.call("ENGINE_ROLE"), admin.address, sender=admin)
    cash.send("mint", admin.address, amount_usd6, sender=admin)
    cash.send("approve", distributor.address, UNLIMITED, sender=admin)
    return cash


def _pay(stage: Stage, units: dict[str, int], funded_usd6: int) -> int:
    """Declare, fund, pay every page and hold each payment against the exact share; most bytes held meanwhile."""
    distributor, total = stage.deal.distributor, sum(units.values())
    record_s = stage.engine.head().timestamp_s + WARM_UP_S
    distributor.send("declareAndFund", 1, record_s, funded_usd6, funded_usd6, 0, sender=stage.deal.admin)
    served, most_bytes = 0, 0
    for receipt in push_pages(stage, distributor, "claimMany", 1, list(units), record_s + 1):
        for event in distributor.events(receipt, "CouponPaid"):
            served += 1
            if event["amountUsd6"] != share_down(funded_usd6, units[event["holder"]], total):
                raise ResultFailed(
                    f"coupon of {event['holder']}: {event['amountUsd6']} is not the exact share"
                )
        most_bytes = max(most_bytes, resident_bytes() or 0)
    if served != len(units):
        raise ResultFailed(f"coupon: {served} of {len(units)} holders paid")
    return most_bytes


def _require_paid(cash: Contract, units: dict[str, int], funded_usd6: int) -> None:
    """The first, the last and every thousandth holder has on chain what the event said."""
    total, wallets = sum(units.values()), list(units)
    for wallet in {*wallets[::1_000], wallets[-1]}:
        held_usd6 = cash.call("balanceOf", wallet)
        if held_usd6 != share_down(funded_usd6, units[wallet], total):
            raise ResultFailed(f"coupon of {wallet}: has {held_usd6}")
