"""A small bond market to tell stories in: who is who, and the verbs of the market.

    deploy_market ──► issue, fund, agree, sign, settle, cancel        (trades)
                  ──► observe, attest, transmit, report, pay          (cash flow)
                  ──► books, moved, event, events                     (what to assert)

The bond: 1,000 units of 100 dollars, 6 % a year, fees of 1 %, repaid in twelve equal monthly parts from
1 January 2026, with a reserve of 500 dollars and the rest to the sponsor. Four oracle nodes sign, three
signatures make a report final.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from oracles.config import FeedConfig
from oracles.eip712 import report_digest
from oracles.keys import SecretKey
from oracles.schema import Report
from rwa_sim.chain.contract import Contract, Event, deploy
from rwa_sim.chain.deploy import (
    NOTHING_HELD,
    UNLIMITED,
    ClassIssue,
    Deal,
    DealClass,
    DealTerms,
    FeedTerms,
    deploy_deal,
    deploy_distributor,
    encode_bond,
    encode_class,
    encode_deal,
    encode_step,
)
from rwa_sim.chain.engine import Account, Engine, Receipt
from rwa_sim.chain.instruction import Instruction, Status, sign_instruction
from rwa_sim.domain.tranches import ClassTerms, Step, StepKind, Trigger
from rwa_sim.domain.tranches import DealTerms as WaterfallTerms

DOLLAR = 10**6  # usd6
DAY_S = 86_400
ZERO_ADDRESS = "0x" + "00" * 20
ASSET = b"solar plant one".ljust(32, b"\0")
UNITS = 1_000
FACE_USD6 = 100 * DOLLAR
ORIGINAL_USD6 = UNITS * FACE_USD6
PERIOD_COUNT = 12
MONTHS_S = tuple(
    int(datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) for month in range(31)
)
ISSUE_S, MATURITY_S = MONTHS_S[0], MONTHS_S[PERIOD_COUNT]
REPORT_LAG_S = 3_600  # a period is observed an hour after its end
REPORT_TTL_S = 30 * DAY_S
CLASS_A = ClassTerms(
    name="A", original_usd6=ORIGINAL_USD6, rate_wad=6 * 10**16, principal_periods=PERIOD_COUNT
)
FEE = Step(kind=StepKind.FEE, payee="servicer", rate_wad=10**16, reserve=True)
INTEREST = Step(kind=StepKind.INTEREST, classes=(0,), reserve=True)
PRINCIPAL = Step(kind=StepKind.PRINCIPAL, classes=(0,), reserve=True)
RESERVE = Step(kind=StepKind.RESERVE, fixed_usd6=500 * DOLLAR)
RESIDUAL = Step(kind=StepKind.RESIDUAL, payee="sponsor")
TERMS = WaterfallTerms(
    classes=(CLASS_A,),
    steps=(FEE, INTEREST, PRINCIPAL, RESERVE, RESIDUAL),
    trigger=Trigger.CREDIT,
    threshold=1,
    period_count=PERIOD_COUNT,
    maturity_s=MATURITY_S,
)


@dataclass(frozen=True, slots=True)
class Market:
    """One deployed deal and the people around it."""

    chain: Engine
    deal: Deal
    issuer: Account
    servicer: Account
    seller: Account
    buyer: Account
    third: Account
    stranger: Account
    nodes: tuple[Account, ...]

    @property
    def cash(self) -> Contract:
        return self.deal.cash

    @property
    def bond(self) -> Contract:
        return self.deal.bond

    @property
    def dvp(self) -> Contract:
        return self.deal.dvp

    @property
    def feed(self) -> Contract:
        return self.deal.feed

    @property
    def distributor(self) -> Contract:
        return self.deal.distributor

    @property
    def waterfall(self) -> Contract:
        return self.deal.waterfall

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """One of each kind; register and coupons are the senior class's."""
        return (self.cash, self.bond, self.feed, self.distributor, self.waterfall, self.dvp)

    @property
    def now_s(self) -> int:
        """Second of the last block."""
        return self.chain.head().timestamp_s

    @property
    def feed_config(self) -> FeedConfig:
        """What the oracle nodes believe the feed to be."""
        return FeedConfig(
            chain_id=self.chain.chain_id,
            feed=self.feed.address,
            asset_id=ASSET,
            signers=tuple(node.address for node in self.nodes),
            quorum=3,
            fault_tolerance=1,
        )

    def parties(self) -> dict[str, str]:
        """Everybody who may hold something, by name."""
        people = (self.seller, self.buyer, self.third, self.stranger, self.servicer, self.deal.sponsor)
        rooms = (self.dvp, self.feed, self.distributor, self.waterfall)
        return {p.label: p.address for p in people} | {room.name: room.address for room in rooms}


def deploy_market(
    chain: Engine, terms: WaterfallTerms = TERMS, record_lag_s: int = 0, feed: FeedTerms = NOTHING_HELD
) -> Market:
    """Deploy a deal with four oracle nodes and open it on its issue date; nothing is issued yet."""
    people = {
        label: chain.account(label)
        for label in ("admin", "servicer", "sponsor", "seller", "buyer", "third", "stranger", "keeper")
    }
    nodes = sorted(
        (chain.account(f"node {index}") for index in range(4)), key=lambda node: int(node.address, 16)
    )
    deal = deploy_deal(
        chain,
        DealTerms(
            name="Solar note 2026",
            asset_id=ASSET,
            issue_s=ISSUE_S,
            waterfall=terms,
            issues=[
                ClassIssue(
                    symbol=f"SOL26{entry.name}",
                    units=entry.original_usd6 // FACE_USD6,
                    face_usd6=FACE_USD6,
                )
                for entry in terms.classes
            ],
            signers=[node.address for node in nodes],
            record_lag_s=record_lag_s,
            feed=feed,
        ),
    )
    wait_until(chain, ISSUE_S)
    return Market(
        chain=chain,
        deal=deal,
        issuer=people["admin"],
        servicer=people["servicer"],
        seller=people["seller"],
        buyer=people["buyer"],
        third=people["third"],
        stranger=people["stranger"],
        nodes=tuple(nodes),
    )


@contextmanager
def rolled_back(chain: Engine) -> Iterator[None]:
    """Leave the chain as it was found: one deployment serves many stories."""
    mark = chain.snapshot()
    try:
        yield
    finally:
        chain.revert(mark)


def wait_until(chain: Engine, at_s: int) -> None:
    """Let time pass: an empty block at that second."""
    chain.submit([], at_s)


# ── units and cash ─────────────────────────────────────────────────────────


def issue(market: Market, to: Account | Contract, units: int, at_s: int | None = None) -> Receipt:
    """Create units for a first holder."""
    return market.bond.send("mint", to.address, units, b"", sender=market.issuer, at_s=at_s)


def record_on(market: Market, *seconds: int) -> None:
    """Fix record dates of the bond by hand, in order of time."""
    keeper = market.chain.account("keeper")
    role = market.bond.call("RECORD_ROLE")
    if not market.bond.call("hasRole", role, keeper.address):
        market.bond.send("grantRole", role, keeper.address, sender=market.deal.admin)
    for second in seconds:
        market.bond.send("declareRecordDate", second, sender=keeper)


def fund(market: Market, who: Account | Contract, usd6: int) -> Receipt:
    """Bring bank money onto the chain."""
    return market.cash.send("mint", who.address, usd6, sender=market.deal.admin)


def transfer(
    token: Contract, sender: Account, to: Account | Contract, amount: int, at_s: int | None = None
) -> Receipt:
    """Move units or cash outside any trade."""
    return token.send("transfer", to.address, amount, sender=sender, at_s=at_s)


def allow(token: Contract, owner: Account, spender: Contract | Account, amount: int = UNLIMITED) -> Receipt:
    """Let another account move the owner's tokens."""
    return token.send("approve", spender.address, amount, sender=owner)


def block(market: Market, who: Account | Contract, blocked: bool = True) -> Receipt:
    """Put an account on the block list of the cash token, or take it off."""
    return market.cash.send("setBlocked", who.address, blocked, sender=market.deal.admin)


def open_trade(market: Market, units: int = 10, usd6: int = 1_000 * DOLLAR) -> None:
    """Seller has the units, buyer the cash, and the settlement contract may move both."""
    issue(market, market.seller, units)
    fund(market, market.buyer, usd6)
    allow(market.bond, market.seller, market.dvp)
    allow(market.cash, market.buyer, market.dvp)


# ── trades ─────────────────────────────────────────────────────────────────


def agree(market: Market, **changes: Any) -> Instruction:
    """The terms of one trade: 10 units for 1,000 dollars within a day, all or none, unless said otherwise."""
    terms = Instruction(
        trade_id=b"trade 1".ljust(32, b"\0"),
        bond=market.bond.address,
        cash=market.cash.address,
        seller=market.seller.address,
        buyer=market.buyer.address,
        units=10,
        cash_usd6=1_000 * DOLLAR,
        min_fill_units=changes.get("units", 10),
        trade_time=market.now_s,
        settle_from=market.now_s,
        deadline=market.now_s + DAY_S,
    )
    return replace(terms, **changes)


def sign(market: Market, terms: Instruction, party: Account, **domain: Any) -> bytes:
    """The party's signature under the settlement contract's domain, or under another one."""
    place = {"chain_id": market.chain.chain_id, "dvp": market.dvp.address} | domain
    return sign_instruction(terms, place["chain_id"], place["dvp"], party)


def settle(
    market: Market,
    terms: Instruction,
    *,
    by: Account | None = None,
    seller_signature: bytes | None = None,
    buyer_signature: bytes | None = None,
    at_s: int | None = None,
) -> Receipt:
    """Settle a trade; both parties sign the terms unless a signature is given. Anyone may send it."""
    if seller_signature is None:
        seller_signature = sign(market, terms, market.seller)
    if buyer_signature is None:
        buyer_signature = sign(market, terms, market.buyer)
    return market.dvp.send(
        "settle", terms, seller_signature, buyer_signature, sender=by or market.stranger, at_s=at_s
    )


def cancel(market: Market, terms: Instruction, by: Account, at_s: int | None = None) -> Receipt:
    """End a trade that has not settled."""
    return market.dvp.send("cancel", terms, sender=by, at_s=at_s)


def trade_status(market: Market, terms: Instruction) -> str:
    """None, Matched, Held, Settled, Failed or Cancelled."""
    trade = market.dvp.call("instructionId", terms)
    return Status(market.dvp.call("statusOf", trade)).name.capitalize()


# ── cash flow ──────────────────────────────────────────────────────────────


def observe(market: Market, period: int, register_wh: int, credited_usd6: int, /, **changes: Any) -> Report:
    """What all four nodes saw of a month: cumulative energy and cumulative cash."""
    report = Report(
        config_digest=market.feed.call("configDigest", ASSET),
        asset_id=ASSET,
        period_id=period,
        revision=0,
        period_start=MONTHS_S[period - 1],
        period_end=MONTHS_S[period],
        observed_at=MONTHS_S[period] + REPORT_LAG_S,
        expires_at=MONTHS_S[period] + REPORT_LAG_S + REPORT_TTL_S,
        completeness_bps=10_000,
        readings_root=bytes([period]) * 32,
        registers_wh=(register_wh,) * 4,
        credited_usd6=(credited_usd6,) * 4,
    )
    return replace(report, **changes)


def attest(
    market: Market, report: Report, signers: Sequence[Account] | None = None, **config: Any
) -> list[bytes]:
    """Signatures of these nodes (the first three unless named), in the order named."""
    digest = report_digest(replace(market.feed_config, **config), report)
    return [_secret_key(node.key).sign(digest) for node in (market.nodes[:3] if signers is None else signers)]


_secret_key = cache(SecretKey)  # a key works out its address, which costs more than a signature


def transmit(
    market: Market, report: Report, signatures: Sequence[bytes] | None = None, at_s: int | None = None
) -> Receipt:
    """Bring a report to the chain, an hour after its period unless said otherwise."""
    return market.feed.send(
        "transmit",
        report.to_abi(),
        attest(market, report) if signatures is None else list(signatures),
        sender=market.stranger,
        at_s=report.observed_at if at_s is None else at_s,
    )


def report(
    market: Market, period: int, credited_usd6: int, register_wh: int = 0, funded: bool = True
) -> Receipt:
    """A month's report. The cash it speaks of is brought onto the chain first, unless it is late.

    Args:
        market: where.
        period: 1 for January 2026.
        credited_usd6: cumulative cash credited (1e6).
        register_wh: cumulative energy (Wh).
        funded: whether the month's cash has arrived in the waterfall.
    """
    if funded:
        last = market.feed.call("finalReport", ASSET, period - 1).creditedUsd6
        if credited_usd6 > last:
            fund(market, market.waterfall, credited_usd6 - last)
    return transmit(market, observe(market, period, register_wh, credited_usd6))


def pay(
    market: Market,
    coupon: int,
    *holders: Account | Contract,
    by: Account | None = None,
    at_s: int | None = None,
) -> Receipt:
    """Push a page of holders; anyone may."""
    addresses = [holder.address for holder in holders]
    return market.distributor.send("claimMany", coupon, addresses, sender=by or market.stranger, at_s=at_s)


@dataclass(frozen=True, slots=True)
class CouponDesk:
    """A distributor whose engine is a person, so that coupons can be declared by hand."""

    distributor: Contract
    keeper: Account


def open_coupon_desk(market: Market, cash: Contract | None = None) -> CouponDesk:
    """A distributor of its own for the market's bond, run by the keeper, who may spend any cash."""
    cash = cash or market.cash
    keeper, admin = market.chain.account("keeper"), market.deal.admin
    distributor = open_ledger(market, market.bond, cash)
    distributor.send("grantRole", distributor.call("ENGINE_ROLE"), keeper.address, sender=admin)
    allow(cash, keeper, distributor)
    return CouponDesk(distributor, keeper)


# ── what to assert ─────────────────────────────────────────────────────────

Books = dict[tuple[str, str], int]


def books(market: Market, *extra: Contract | Account) -> Books:
    """Units and cash of everybody, the contracts included, and both totals."""
    parties = market.parties() | {
        (room.name if isinstance(room, Contract) else room.label): room.address for room in extra
    }
    taken = {("units", name): market.bond.call("balanceOf", where) for name, where in parties.items()}
    taken |= {("usd6", name): market.cash.call("balanceOf", where) for name, where in parties.items()}
    taken["units", "total"] = market.bond.call("totalSupply")
    taken["usd6", "total"] = market.cash.call("totalSupply")
    return taken


def moved(before: Books, after: Books) -> Books:
    """Every balance that is not what it was, and by how much."""
    return {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}


def units_of(market: Market, who: Account | Contract) -> int:
    """Units held now."""
    return int(market.bond.call("balanceOf", who.address))


def cash_of(market: Market, who: Account | Contract) -> int:
    """Cash held now (1e6)."""
    return int(market.cash.call("balanceOf", who.address))


def events(contract: Contract, receipt: Receipt) -> list[str]:
    """Names of a contract's events, in order."""
    return [event.name for event in contract.events(receipt)]


def event(contract: Contract, receipt: Receipt, name: str, **fields: Any) -> Event:
    """The one event of that name; it must have these fields (addresses in any case)."""
    found = list(contract.events(receipt, name))
    assert len(found) == 1, f"expected one {name}, got {[e.name for e in contract.events(receipt)]}"
    for field, expected in fields.items():
        actual = found[0][field]
        assert actual == expected, f"{name}.{field}: expected {expected}, got {actual}"
    return found[0]


# ── a waterfall that is told of reports by a person ────────────────────────


@dataclass(frozen=True, slots=True)
class WaterfallDesk:
    """A waterfall with registers and coupon ledgers of its own; the feeder stands in for the feed."""

    market: Market
    waterfall: Contract
    classes: tuple[DealClass, ...]
    cash: Contract
    feeder: Account

    @property
    def distributor(self) -> Contract:
        """Coupon ledger of the senior class."""
        return self.classes[0].distributor

    @property
    def agent(self) -> Account:
        """Who posts the pool and may accelerate."""
        return self.market.deal.agent

    def arrive(self, usd6: int) -> None:
        """Cash reaches the collection account on chain."""
        self.give(self.waterfall, usd6)

    def give(self, who: Account | Contract, usd6: int) -> None:
        """Cash for anybody."""
        self.cash.send("mint", who.address, usd6, sender=self.market.deal.admin)

    def tell(self, period: int, credited_usd6: int, register_wh: int = 0, **changes: Any) -> Receipt:
        """A final report of a month, as the feed would tell it; cumulative values."""
        sender = changes.pop("sender", self.feeder)
        told = {
            "asset": ASSET,
            "period": period,
            "start": MONTHS_S[max(period, 1) - 1],
            "end": MONTHS_S[max(period, 1)],
            "register_wh": register_wh,
            "credited_usd6": credited_usd6,
        } | changes
        return self.waterfall.send("onFinalReport", *told.values(), sender=sender, at_s=told["end"])

    def earn(self, period: int, usd6: int, **changes: Any) -> Receipt:
        """A month's new cash arrives and is reported."""
        self.arrive(usd6)
        return self.tell(period, self.state().creditedUsd6 + usd6, **changes)

    def post(self, period: int, *, by: Account | None = None, **pool: int) -> Receipt:
        """The calculation agent posts the pool; its advance comes from its own cash."""
        names = ("performingUsd6", "delinquentUsd6", "lossUsd6", "hedgeDueUsd6", "advanceUsd6")
        figures = dict.fromkeys(names, 0) | pool
        return self.waterfall.send("postPool", period, figures, sender=by or self.agent)

    def state(self) -> Any:
        """Where the deal stands."""
        return self.waterfall.call("state")

    def standing(self, index: int = 0) -> Any:
        """Where a class stands."""
        return self.waterfall.call("classState", index)

    def coupon(self, number: int, index: int = 0) -> Any:
        """A coupon of a class."""
        return self.classes[index].distributor.call("coupon", number)


def open_class(market: Market, entry: ClassTerms, cash: Contract, units: int) -> DealClass:
    """A register and a coupon ledger of a class, all its units with the seller; units x face = original."""
    admin = market.deal.admin
    bond_terms = encode_bond(
        asset_id=ASSET,
        currency=cash.address,
        face_usd6=entry.original_usd6 // units,
        rate_wad=entry.rate_wad,
        issue_s=ISSUE_S,
        maturity_s=MATURITY_S,
        period_count=PERIOD_COUNT,
    )
    bond = deploy(market.chain, "BondToken", entry.name, entry.name, bond_terms, admin.address, sender=admin)
    bond.send("grantRole", bond.call("ISSUER_ROLE"), admin.address, sender=admin)
    bond.send("mint", market.seller.address, units, b"", sender=admin)
    return DealClass(name=entry.name, bond=bond, distributor=open_ledger(market, bond, cash))


def open_ledger(market: Market, bond: Contract, cash: Contract) -> Contract:
    """A coupon ledger of a register; nobody runs it yet."""
    return deploy_distributor(market.chain, bond, cash, market.deal.admin)


def open_waterfall(
    market: Market,
    terms: WaterfallTerms = TERMS,
    cash: Contract | None = None,
    classes: Sequence[DealClass] | None = None,
    **changes: Any,
) -> WaterfallDesk:
    """A second waterfall fed by hand: the market's bond for one class, own registers for several.

    Args:
        market: where.
        terms: order of payment.
        cash: token it pays in.
        classes: registers and coupon ledgers that are there already.
        changes: fields of the contract's deal terms, such as `recordLagS` or `callTime`.
    """
    cash = cash or market.cash
    feeder, admin, agent = market.chain.account("keeper"), market.deal.admin, market.deal.agent
    if classes is None and len(terms.classes) == 1:
        name = terms.classes[0].name
        ledger = open_ledger(market, market.bond, cash)
        classes = [DealClass(name=name, bond=market.bond, distributor=ledger)]
    elif classes is None:
        classes = [open_class(market, entry, cash, UNITS) for entry in terms.classes]
    waterfall = deploy(
        market.chain,
        "Waterfall",
        deal_terms(market, terms, cash) | changes,
        [encode_class(entry, where) for entry, where in zip(terms.classes, classes, strict=True)],
        step_terms(market, terms),
        sender=admin,
    )
    for where in classes:
        role = where.distributor.call("ENGINE_ROLE")
        where.distributor.send("grantRole", role, waterfall.address, sender=admin)
        where.bond.send("grantRole", where.bond.call("RETIRER_ROLE"), waterfall.address, sender=admin)
    cash.send("approve", waterfall.address, UNLIMITED, sender=agent)
    return WaterfallDesk(market, waterfall, tuple(classes), cash, feeder)


def deal_terms(market: Market, terms: WaterfallTerms, cash: Contract) -> dict[str, Any]:
    """The contract's deal terms, the feeder in place of the feed."""
    written = DealTerms(name="Desk", asset_id=ASSET, issue_s=ISSUE_S, waterfall=terms, issues=(), signers=())
    feeder = Contract(market.chain, "CashflowFeed", market.chain.account("keeper").address)
    return encode_deal(written, feeder, cash, market.deal.agent, market.deal.admin)


def step_terms(market: Market, terms: WaterfallTerms) -> list[dict[str, Any]]:
    """The contract's steps."""
    payees = {step.payee: market.chain.account(step.payee) for step in terms.steps if step.payee}
    return [encode_step(step, payees) for step in terms.steps]
