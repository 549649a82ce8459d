"""A deal whose first holdings are a market's: deployed, accounts opened, every class placed.

Accounts and contracts are dealt out so that the order of addresses, in which a netting cycle looks at participants
and assets, is the order of the market's participants and instruments, cash last: participant n is played by the
account with the n-th smallest address.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED, ClassIssue, Deal, DealTerms, deploy_deal
from rwa_sim.chain.engine import Engine
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms
from rwa_sim.rails.columns import Market
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.tokenised.rows import RailTerms
from rwa_sim.rails.tokenised.settlement import Settlement
from rwa_sim.rails.tokenised.stage import Stage

FACE_USD6 = 10**6  # the placement's price of a unit; what it costs is given on top of the opening cash
DAY_S = 86_400
LEAD_S = 2 * DAY_S  # deployment before the first trade
SIGNERS = 4


def open_stage(market: Market, terms: RailTerms, engine: Engine) -> Stage:
    """Contracts deployed two days before the first trade; `participants` of the stage in the market's order."""
    first_s = int(market.tape.executed_at_s[0]) if len(market.tape) else engine.head().timestamp_s + LEAD_S
    engine.submit([], first_s - LEAD_S)
    deal = _deploy(market, engine, first_s - DAY_S)
    actors = sorted(market.participants, key=lambda name: _number(engine.account(name).address))
    return Stage(engine=engine, deal=deal, terms=terms, participants=actors, log=EventLog())


def place_holdings(market: Market, stage: Stage, settlement: Settlement) -> None:
    """Opening holdings: cash, and units sold at face value, their price being given on top of the cash."""
    units = market.opening_units.tolist()
    at_s = stage.engine.head().timestamp_s
    stage.open_accounts(
        at_s,
        {
            name: cash + sum(units[place]) * FACE_USD6
            for place, (name, cash) in enumerate(
                zip(stage.participants, market.opening_cash_usd6.tolist(), strict=True)
            )
        },
    )
    for number, instrument in enumerate(market.instruments):
        allotment = {
            name: held[number] for name, held in zip(stage.participants, units, strict=True) if held[number]
        }
        if allotment:
            at_s = stage.engine.head().timestamp_s
            settlement.place_issue(at_s, instrument, allotment, FACE_USD6)


def _deploy(market: Market, engine: Engine, issue_s: int) -> Deal:
    """A permissioned deal with a class for each instrument, addresses of classes ascending and below cash's."""
    units = [max(1, total) for total in market.opening_units.sum(axis=0).tolist()]
    names = [f"class {number}" for number in range(len(units))]
    waterfall = WaterfallTerms(
        classes=tuple(
            ClassTerms(name=name, original_usd6=total * FACE_USD6, rate_wad=0)
            for name, total in zip(names, units, strict=True)
        ),
        steps=(
            Step(kind=StepKind.INTEREST, classes=tuple(range(len(units)))),
            Step(kind=StepKind.PRINCIPAL, classes=tuple(range(len(units)))),
            Step(kind=StepKind.RESIDUAL, payee="sponsor"),
        ),
        trigger=Trigger.CREDIT,
        threshold=1,
        period_count=1,
        maturity_s=issue_s + 10 * 365 * DAY_S,
    )
    signers = sorted((engine.account(f"oracle-{n}").address for n in range(SIGNERS)), key=_number)
    terms = DealTerms(
        permissioned=True,
        name="Sample",
        asset_id=b"sample".ljust(32, b"\0"),
        issue_s=issue_s,
        waterfall=waterfall,
        issues=[
            ClassIssue(symbol=f"S{number}", units=total, face_usd6=FACE_USD6)
            for number, total in enumerate(units)
        ],
        signers=signers,
        term_sheet_hash=sha256(b"sample").digest(),
    )
    deal = deploy_deal(engine, terms)
    ascending = sorted(deal.classes, key=lambda entry: _number(entry.bond.address))
    classes = tuple(
        replace(entry, name=name) for entry, name in zip(ascending, market.instruments, strict=True)
    )
    return replace(deal, classes=classes, cash=_cash_above(_number(ascending[-1].bond.address), deal, engine))


def _cash_above(bond_number: int, deal: Deal, engine: Engine) -> Contract:
    """The cash token, deployed until its address is above every bond's."""
    cash = deal.cash
    while _number(cash.address) < bond_number:
        cash = deploy(
            engine, "Stablecoin", "Sample dollar", "simUSD", b"USD", deal.admin.address, sender=deal.admin
        )
        cash.send("configureMinter", deal.admin.address, UNLIMITED, sender=deal.admin)
    return cash


def _number(address: str) -> int:
    return int(address, 16)
