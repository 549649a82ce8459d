"""Gas of the operations that are done often, against a reviewed file, and the size of every contract.

Gas is exact on py-evm: any difference is a change of the contracts, to be looked at and accepted by
`pytest --update-golden`. Each figure is the gas used by one whole transaction.
"""

from __future__ import annotations

from rwa_sim.chain.artifacts import load_build
from tests.contracts.kit import (
    DOLLAR,
    UNITS,
    agree,
    event,
    fund,
    issue,
    observe,
    open_trade,
    pay,
    settle,
    transfer,
    transmit,
    wait_until,
)

MAX_CODE_BYTES = 24_576  # EIP-170
HOLDER_COUNT = 10


def test_gas_is_as_reviewed(market, golden):
    golden("gas.json", trading_gas(market) | coupon_gas(market))


def trading_gas(market) -> dict[str, int]:
    """A transfer to somebody new, to a holder, and a trade between holders of both tokens."""
    open_trade(market, units=100, usd6=5_000 * DOLLAR)
    fund(market, market.seller, 1)
    first = transfer(market.bond, market.seller, market.buyer, 10)
    again = transfer(market.bond, market.seller, market.buyer, 10)
    nobody_yet = transfer(market.cash, market.buyer, market.third, 1)
    return {
        "bond transfer, new holder": first.gas_used,
        "bond transfer, existing holder": again.gas_used,
        "cash transfer, new holder": nobody_yet.gas_used,
        "DvP settle, both hold both": settle(market, agree(market)).gas_used,
    }


def coupon_gas(market) -> dict[str, int]:
    """A report of three nodes that only counts, one that pays a coupon, and the pages that follow."""
    holders = [market.chain.account(f"gas holder {index}") for index in range(HOLDER_COUNT)]
    for holder in holders:
        issue(market, holder, (UNITS - 100) // HOLDER_COUNT)
    figures = {}
    figures["report 3 of 4, deferred"] = transmit(market, observe(market, 1, 10, 0)).gas_used
    for period, name in ((2, "first coupon"), (3, "later coupon")):
        fund(market, market.waterfall, 9_000 * DOLLAR)
        told = transmit(market, observe(market, period, 10, (period - 1) * 9_000 * DOLLAR))
        event(market.waterfall, told, "ClassPaid", couponId=period - 1)
        figures[f"report 3 of 4, declare and fund, {name}"] = told.gas_used
        wait_until(market.chain, told.timestamp_s + 1)
        page = pay(market, period - 1, *holders)
        figures[f"pay a page of 10, {name}, each"] = page.gas_used // HOLDER_COUNT
    return figures


def test_every_contract_can_be_deployed():
    sizes = {name: built["runtime_size"] for name, built in load_build()["contracts"].items()}

    assert {name: size for name, size in sizes.items() if size > MAX_CODE_BYTES} == {}
    assert max(sizes.values()) > 0
