"""The performance of a life on an engine.

    steps ──Stage.play──► trace (what each transaction left), evening (what the contracts say), events by block

What a step needs to know of the chain (the last period, an open report) its performer reads from the engine
it is on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.deploy import UNLIMITED, FeedTerms
from rwa_sim.chain.engine import Account, Engine, Receipt, Transaction
from rwa_sim.chain.instruction import Instruction, Signed, Status, build_cycle
from rwa_sim.chain.reverts import decode_revert
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    DOLLAR,
    MONTHS_S,
    Market,
    agree,
    attest,
    books,
    deploy_market,
    observe,
    sign,
)
from tests.differential.lives import HOLDERS, Step

FEED = FeedTerms(min_completeness_bps=9_000)  # a report that shows less is held for the arbiter
MOST_PERIODS = 28
ROOMY_GAS = 12_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What one transaction left behind; `gas` apart, which only exact engines share."""

    step: int
    ok: bool
    tx_hash: str
    block: int
    timestamp_s: int
    created: str | None
    events: tuple[tuple[str, str, dict[str, Any]], ...]
    refusal: tuple[str, dict[str, Any]] | None
    gas: int = 0


class Performer:
    """Plays steps on one engine's market."""

    def __init__(self, market: Market) -> None:
        self._market, self.trace, self._step = market, list[Left](), 0
        self._people: dict[str, Account] = {who: getattr(market, who) for who in HOLDERS}
        self._contracts = {contract.address: contract for contract in market.contracts}
        self._credited_usd6 = 0
        self._trades: list[Instruction] = []

    def perform(self, steps: list[Step]) -> None:
        """Play them in order."""
        for self._step, step in enumerate(steps):
            for at_s, transactions in getattr(self, f"_{step.kind}")(**step.told):
                for receipt in self._market.chain.submit(transactions, at_s):
                    self.trace.append(self._left(receipt))

    def evening(self) -> dict[str, Any]:
        """What the contracts say: balances, registers, coupons, claims, the deal, the feed and the book."""
        market, distributor, bond = self._market, self._market.distributor, self._market.bond
        holders = [who.address for who in self._people.values()]
        coupons = range(1, distributor.call("lastCouponId") + 1)
        return {
            "head": market.chain.head(),
            "books": books(market),
            "frozen": [bond.call("getFrozenTokens", holder) for holder in holders],
            "history": [[bond.call("unitsAt", c, h) for h in holders] for c in coupons],
            "coupons": [distributor.call("coupon", c) for c in coupons],
            "owed": [[distributor.call("owedUsd6", c, h) for h in holders] for c in coupons],
            "parked": [[distributor.call("parkedUsd6", c, h) for h in holders] for c in coupons],
            "carry": distributor.call("carryUsd6"),
            "deal": market.waterfall.call("state"),
            "class": market.waterfall.call("classState", 0),
            "feed": (market.feed.call("assetState", ASSET), market.feed.call("openReport", ASSET)),
            "trades": [market.dvp.call("entryOf", market.dvp.call("instructionId", t)) for t in self._trades],
        }

    def logs(self) -> list[tuple[int, Any]]:
        """Events of the market's contracts since it opened, by block range."""
        chain, first = self._market.chain, self.trace[0].block
        return chain.logs(list(self._contracts), first, chain.head().number)

    # ── steps: (wished second, transactions of one block) ──────────────────

    def _open(self, units: list[int]) -> Iterator[tuple[int | None, list[Transaction]]]:
        market, admin = self._market, self._market.deal.admin
        role = market.bond.call("ENFORCER_ROLE")
        yield None, [market.bond.transaction("grantRole", role, admin.address, sender=admin)]
        for who, count in zip(self._people.values(), units, strict=True):
            yield (
                None,
                [
                    market.bond.transaction("mint", who.address, count, b"", sender=admin),
                    market.cash.transaction("mint", who.address, 25_000 * DOLLAR, sender=admin),
                    market.bond.transaction("approve", market.dvp.address, UNLIMITED, sender=who),
                    market.cash.transaction("approve", market.dvp.address, UNLIMITED, sender=who),
                ],
            )

    def _trade(self, **told: Any) -> Iterator[tuple[int | None, list[Transaction]]]:
        market, flaw, terms = self._market, told["flaw"], self._agreed(**told)
        domain = {"chain_id": 1} if flaw == "other chain" else {}
        signed = [sign(market, terms, self._people[told[who]], **domain) for who in ("giver", "taker")]
        if flaw == "swapped":
            signed.reverse()
        if flaw == "unsigned":
            signed[1] = b""
        settle = market.dvp.transaction("settle", terms, *signed, sender=market.stranger)
        if flaw == "cancelled":
            yield None, [market.dvp.transaction("cancel", terms, sender=self._people[told["taker"]]), settle]
        else:
            at_s = terms.deadline + 1 if flaw == "late" else None
            yield at_s, [settle, settle] if flaw == "twice" else [settle]

    def _cycle(
        self, trades: list[dict[str, Any]], drop: int
    ) -> Iterator[tuple[int | None, list[Transaction]]]:
        market = self._market
        agreed = [self._agreed(**told) for told in trades]
        yield (
            None,
            [
                market.dvp.transaction(
                    "matchSigned",
                    terms,
                    *(sign(market, terms, self._people[told[who]]) for who in ("giver", "taker")),
                    sender=market.stranger,
                )
                for terms, told in zip(agreed, trades, strict=True)
                if told["flaw"] != "unsigned"
            ],
        )
        cycle = build_cycle(agreed)
        yield None, [market.dvp.transaction("settleCycle", cycle, drop, sender=market.third, gas=ROOMY_GAS)]

    def _batch(self, trades: list[dict[str, Any]]) -> Iterator[tuple[int | None, list[Transaction]]]:
        market, signed = self._market, []
        for told in trades:
            terms = self._agreed(**told)
            both = [sign(market, terms, self._people[told[who]]) for who in ("giver", "taker")]
            signed.append(Signed(terms, *(both if told["flaw"] != "unsigned" else [both[0], b""])))
        yield None, [market.dvp.transaction("settleEach", signed, sender=market.third, gas=ROOMY_GAS)]

    def _purge(self, latest: int, in_time: bool) -> Iterator[tuple[int | None, list[Transaction]]]:
        """Trades of late that settled, or all of late, which the book refuses; after their deadline, or before."""
        dvp, trades = self._market.dvp, self._trades[-latest:]
        settled = [t for t in trades if dvp.call("statusOf", dvp.call("instructionId", t)) == Status.SETTLED]
        chosen = settled or trades
        if chosen:
            at_s = max(terms.deadline for terms in chosen) + 1 if in_time else None
            yield at_s, [dvp.transaction("purge", chosen, sender=self._market.stranger)]

    def _month(
        self, earned: int, funded: int, flaw: str, payees: list[str]
    ) -> Iterator[tuple[int | None, list[Transaction]]]:
        market, feed = self._market, self._market.feed
        opened = feed.call("openReport", ASSET)
        period = feed.call("assetState", ASSET).lastPeriodId + 1
        if period > MOST_PERIODS:
            return
        if opened.status == 0:
            self._credited_usd6 += earned
        report = observe(
            market,
            period,
            period * 90_000_000,
            self._credited_usd6,
            revision=opened.revision + 1 if opened.status else 0,
            completeness_bps=5_000 if flaw == "incomplete" else 10_000,
        )
        signatures = attest(market, report, market.nodes[:2] if flaw == "two signatures" else None)
        tell = feed.transaction(
            "transmit", report.to_abi(), signatures, sender=market.stranger, gas=ROOMY_GAS
        )
        if funded and earned:
            yield (
                None,
                [market.cash.transaction("mint", market.waterfall.address, earned, sender=market.deal.admin)],
            )
        at_s = MONTHS_S[period] - 5 if flaw == "early" else report.observed_at
        yield at_s, [tell, tell] if flaw == "twice" else [tell]
        yield from self._claim([self._people[name] for name in payees])

    def _claim(self, holders: list[Account]) -> Iterator[tuple[int | None, list[Transaction]]]:
        coupon = self._market.distributor.call("lastCouponId")
        if coupon > 0:
            addresses = [who.address for who in holders]
            pay = self._market.distributor.transaction(
                "claimMany", coupon, addresses, sender=self._market.stranger, gas=ROOMY_GAS
            )
            yield None, [pay]

    def _transfer(
        self, token: str, giver: str, taker: str, amount: int
    ) -> Iterator[tuple[None, list[Transaction]]]:
        contract: Contract = getattr(self._market, token)
        scaled = amount * (100 * DOLLAR if token == "cash" else 1)
        to = self._people[taker].address
        yield None, [contract.transaction("transfer", to, scaled, sender=self._people[giver])]

    def _freeze(self, holder: str, units: int) -> Iterator[tuple[None, list[Transaction]]]:
        market, who = self._market, self._people[holder].address
        yield None, [market.bond.transaction("setFrozenTokens", who, units, sender=market.deal.admin)]

    def _block(self, holder: str, blocked: bool) -> Iterator[tuple[None, list[Transaction]]]:
        market, who = self._market, self._people[holder].address
        yield None, [market.cash.transaction("setBlocked", who, blocked, sender=market.deal.admin)]

    def _resolve(self, stands: bool) -> Iterator[tuple[int | None, list[Transaction]]]:
        market, feed = self._market, self._market.feed
        period = feed.call("assetState", ASSET).lastPeriodId + 1
        revision = feed.call("openReport", ASSET).revision
        resolve = feed.transaction(
            "resolve", ASSET, period, revision, stands, sender=market.deal.arbiter, gas=ROOMY_GAS
        )
        yield None, [resolve]
        yield from self._claim(list(self._people.values()))

    def _release(self, holder: str, unblocked: bool) -> Iterator[tuple[int | None, list[Transaction]]]:
        """A payee whose coupon is parked, if there is one, asks for it; he may have been unblocked before."""
        market, distributor = self._market, self._market.distributor
        coupon, who = self._parked() or (1, self._people[holder])
        if unblocked:
            yield (
                None,
                [market.cash.transaction("setBlocked", who.address, False, sender=market.deal.admin)],
            )
        yield None, [distributor.transaction("releaseParked", coupon, who.address, sender=market.third)]

    def _parked(self) -> tuple[int, Account] | None:
        distributor = self._market.distributor
        for coupon in range(1, distributor.call("lastCouponId") + 1):
            for who in self._people.values():
                if distributor.call("parkedUsd6", coupon, who.address):
                    return coupon, who
        return None

    def _accelerate(self, by: str) -> Iterator[tuple[None, list[Transaction]]]:
        market = self._market
        sender = market.deal.agent if by == "agent" else market.third
        yield None, [market.waterfall.transaction("accelerate", sender=sender)]

    def _recover(self, usd6: int) -> Iterator[tuple[None, list[Transaction]]]:
        market = self._market
        arrive = market.cash.transaction("mint", market.waterfall.address, usd6, sender=market.deal.admin)
        share = market.waterfall.transaction("distribute", sender=market.third, gas=ROOMY_GAS)
        yield None, [arrive, share]

    def _issue(self, holder: str, units: int) -> Iterator[tuple[None, list[Transaction]]]:
        """By somebody who may not: the issue is closed."""
        market, to = self._market, self._people[holder].address
        yield None, [market.bond.transaction("mint", to, units, b"", sender=market.third)]

    def _wait(self, days: int) -> Iterator[tuple[int, list[Transaction]]]:
        yield self._market.now_s + days * DAY_S, []

    # ── helpers ────────────────────────────────────────────────────────────

    def _agreed(
        self, *, giver: str, taker: str, number: int, units: int, usd6: int, flaw: str
    ) -> Instruction:
        terms = agree(
            self._market,
            trade_id=number.to_bytes(32, "big"),
            seller=self._people[giver].address,
            buyer=self._people[taker].address,
            units=units,
            cash_usd6=usd6,
        )
        self._trades.append(terms)
        return terms

    def _left(self, receipt: Receipt) -> Left:
        events = []
        for log in receipt.logs:
            contract = self._contracts[log.address]
            event = contract._interface.decode_log(log)
            assert event is not None, f"an event of {contract.name} that its interface does not know"
            events.append((contract.name, event.name, event.fields))
        refused = None if receipt.ok else decode_revert(receipt.revert_data)
        return Left(
            step=self._step,
            ok=receipt.ok,
            tx_hash=receipt.tx_hash,
            block=receipt.block_number,
            timestamp_s=receipt.timestamp_s,
            created=receipt.contract_address,
            events=tuple(events),
            refusal=None if refused is None else (refused.error, refused.fields),
            gas=receipt.gas_used,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Everything a performance left."""

    trace: list[Left]
    evening: dict[str, Any]
    logs: list[tuple[int, Any]] | None

    def without_gas(self) -> list[Left]:
        """The trace as engines with different gas share it."""
        return [replace(left, gas=0) for left in self.trace]


class Stage:
    """One engine with one deployed market, on which lives are played one after the other."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._market = deploy_market(engine, feed=FEED)

    def play(self, steps: list[Step]) -> Played:
        """Play a life, then undo it."""
        mark = self.engine.snapshot()
        try:
            performer = Performer(self._market)
            performer.perform(steps)
            keeps = self.engine.capabilities.logs_by_range
            return Played(
                trace=performer.trace,
                evening=performer.evening(),
                logs=performer.logs() if keeps else None,
            )
        finally:
            self.engine.revert(mark)
