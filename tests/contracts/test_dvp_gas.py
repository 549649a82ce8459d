"""Gas of the settlement book, whole transactions: reviewed figures, and a ceiling for the four that matter.

Everybody holds both tokens and has allowed both without bound; the bond is the permissioned one.

one trade
├── settle, both signatures                      under its ceiling
├── match, settle later; hold, settle later      reported
50 trades in one transaction, for each trade
├── the same pair                                under its ceiling
├── all pairs distinct                           under its ceiling
├── each by itself, refusals recorded            reported
└── netted among ten participants                under its ceiling; with the matching reported
"""

from __future__ import annotations

from dataclasses import replace

from rwa_sim.chain.engine import Account
from rwa_sim.chain.instruction import Instruction, Mode, Signed, build_cycle
from tests.contracts.dvp_kit import hold, hold_terms, match, numbered, ready, settle_agreed
from tests.contracts.kit import DOLLAR, Market, agree, settle, sign

CEILING = {"settle": 130_000, "batch, same pair": 73_000, "batch, distinct": 96_000, "netted": 39_000}
COUNT = 50
PARTICIPANTS = 10
GAS = 200_000_000


def people(market: Market, count: int) -> list[Account]:
    """Accounts that hold units and cash and have allowed both."""
    found = [market.chain.account(f"trader {number}") for number in range(count)]
    for who in found:
        ready(market, who, 1_000, 100_000 * DOLLAR)
    return found


def trade(market: Market, number: int, seller: Account, buyer: Account) -> Instruction:
    """One unit, more or less, for a hundred dollars, more or less."""
    terms = agree(market, units=1 + number % 3, cash_usd6=(90 + number) * DOLLAR)
    return replace(numbered(terms, number + 1), seller=seller.address, buyer=buyer.address)


def signed_by(market: Market, terms: Instruction, seller: Account, buyer: Account) -> Signed:
    return Signed(terms, sign(market, terms, seller), sign(market, terms, buyer))


def batch(market: Market, pairs: list[tuple[Account, Account]]) -> list[Signed]:
    return [signed_by(market, trade(market, number, *pair), *pair) for number, pair in enumerate(pairs)]


def each(market: Market, function: str, *args: object) -> int:
    """Gas of one of the trades in the transaction."""
    return market.dvp.send(function, *args, sender=market.stranger, gas=GAS).gas_used // COUNT


def test_one_trade_costs_what_was_reviewed(market, golden):
    ready(market, market.seller, 100, 10_000 * DOLLAR)
    ready(market, market.buyer, 100, 10_000 * DOLLAR)
    figures = {"settle": settle(market, agree(market)).gas_used}
    assert figures["settle"] <= CEILING["settle"]

    terms = numbered(agree(market), 2)
    figures["match"] = match(market, terms).gas_used
    figures["settle, matched"] = settle_agreed(market, terms).gas_used
    terms = hold_terms(market)
    assert terms.mode is Mode.HOLD
    figures["hold"] = hold(market, terms).gas_used
    figures["settle, held"] = settle_agreed(market, terms).gas_used

    golden("gas_dvp_one.json", figures)


def test_batches_and_cycles_cost_what_was_reviewed(market, golden):
    figures = {}
    crowd = people(market, 2 * COUNT)
    pair = (crowd[0], crowd[1])
    mark = market.chain.snapshot()

    figures["batch, same pair"] = each(market, "settleBatch", batch(market, [pair] * COUNT))
    market.chain.revert(mark)
    mark = market.chain.snapshot()
    distinct = batch(market, list(zip(crowd[::2], crowd[1::2], strict=True)))
    figures["batch, distinct"] = each(market, "settleBatch", distinct)
    market.chain.revert(mark)
    mark = market.chain.snapshot()
    figures["each, distinct"] = each(market, "settleEach", distinct)
    market.chain.revert(mark)

    around = [(crowd[n % PARTICIPANTS], crowd[(n * 3 + 1 + n // 10) % PARTICIPANTS]) for n in range(COUNT)]
    around = [(a, b) if a is not b else (a, crowd[(crowd.index(b) + 1) % PARTICIPANTS]) for a, b in around]
    trades = batch(market, around)
    figures["match, batch"] = each(market, "matchBatch", trades)
    cycle = build_cycle([entry.terms for entry in trades])
    assert len(cycle.participants) == PARTICIPANTS
    mark = market.chain.snapshot()
    figures["netted"] = each(market, "settleCycle", cycle, 0)
    market.chain.revert(mark)
    figures["netted, dropping"] = each(market, "settleCycle", cycle, 1)
    figures["netted, with matching"] = figures["netted"] + figures["match, batch"]

    golden("gas_dvp_many.json", figures)
    assert {name: gas for name, gas in figures.items() if gas > CEILING.get(name, gas)} == {}
