"""Proof by sample: the beginning of a tape executed through contracts, and the model's word for it, side by side.

    Market, first trades ──contracts on an engine──► records ─┐
                         └─atomic.settle──────────► columns ──┴─ equal field by field, or `ResultFailed`

Mode gross goes through the tokenised rail's own settlement, mode cycle through `settleCycle`, on the deal of
`rails.tokenised.sample_deal`. Both sign at the seconds the model drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from rwa_sim.chain.capabilities import Capability, require
from rwa_sim.chain.engine import Engine
from rwa_sim.domain.records import SettlementRecord, SettlementStatus, Trade
from rwa_sim.errors import InputError, ResultFailed
from rwa_sim.rails.atomic import TokenisedProfile, settle
from rwa_sim.rails.atomic.settle import signing_s
from rwa_sim.rails.columns import NEVER, FailReason, Market, Outcome
from rwa_sim.rails.tokenised.cycles import CASH, CycleSettlement
from rwa_sim.rails.tokenised.rows import RailTerms
from rwa_sim.rails.tokenised.sample_deal import open_stage, place_holdings
from rwa_sim.rails.tokenised.settlement import Settlement
from rwa_sim.rails.tokenised.stage import Stage

MAX_INSTRUMENTS, MAX_PARTICIPANTS = 7, 32  # `NettingCycle` takes eight assets, one of them cash


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCheck:
    """What was executed and found equal; gas apart, which the model knows on average only.

    Gas is the mean of trades settled at the first attempt, on the chain and in the model, and of the attempts of
    trades never settled on the chain; 0 if there were none.
    """

    world: str
    engine: str
    trades: int
    tape: int
    settled: int
    late: int
    failed: int
    refused_for_securities: int
    refused_for_cash: int
    attempts: int
    mean_gas: int
    mean_gas_model: int
    mean_gas_refused: int

    @property
    def share(self) -> Fraction:
        """Part of the tape that was executed."""
        return Fraction(self.trades, self.tape)


def execute_sample(
    market: Market, profile: TokenisedProfile, rng_seed: str, count: int, engine: Engine
) -> SampleCheck:
    """Execute the first `count` trades on a chain and hold every record against the model.

    Args:
        market: holdings and tape.
        profile: a world of mode gross or cycle.
        rng_seed: as for `atomic.settle`.
        count: how many trades; more than the tape has means all.
        engine: a fresh chain.

    Raises:
        InputError: the world's cash is not on chain, a cycle would be larger than the contract takes, or the
            engine has no simulated time.
        ResultFailed: chain and model differ; names trade, field and both values.
    """
    require(engine, Capability.TRAVEL, by="a sampled tape")
    validate_sample(market, profile)
    sample = replace(market, tape=market.tape.first(count))
    expected = settle(profile, sample, rng_seed)
    stage = open_stage(sample, rail_terms(profile), engine)
    placed = Settlement(stage, Random(rng_seed))
    place_holdings(sample, stage, placed)
    signed_s = signing_s(profile, sample, rng_seed).tolist()
    book: Settlement | CycleSettlement = placed
    if profile.mode == "cycle":
        book = CycleSettlement(stage=stage, settlement=placed, cycle_s=profile.cycle_s.value)
    for trade, at_s in zip(_trades(sample, stage), signed_s, strict=True):
        book.add_signed(trade, at_s)

    stage.play()

    stage.check_balances()
    records = _in_tape_order(sample, book.records)
    _compare(sample, records, expected)
    if isinstance(book, CycleSettlement):
        _compare_transfers(sample, stage, book, expected)
    return _summary(market, profile, engine, records, expected)


def validate_sample(market: Market, profile: TokenisedProfile) -> None:
    """Raises:
    InputError: the contracts cannot execute such a market or world.
    """
    where = f"sample of {profile.name}"
    if profile.mode == "trigger":
        raise InputError(where=where, key="mode", expected="gross or cycle", got=profile.mode)
    sizes = (
        ("instruments", len(market.instruments), MAX_INSTRUMENTS),
        ("participants", len(market.participants), MAX_PARTICIPANTS),
    )
    for key, actual, most in sizes:
        if actual > most:
            raise InputError(where=where, key=key, expected=f"at most {most}", got=str(actual))


def rail_terms(profile: TokenisedProfile) -> RailTerms:
    """A world's parameters as the executed rail takes them."""
    return RailTerms(
        block_s=profile.block_s.value,
        finality_blocks=profile.finality_blocks.value,
        affirm_delay_max_s=profile.affirm_delay_max_s.value,
        deadline_s=profile.deadline_s.value,
        retry_s=profile.retry_s.value,
        on_ramp_s=profile.on_ramp_s.value,
        prefund_s=profile.prefund_s.value,
        challenge_window_s=0,
        spendable_at_s=lambda paid_at_s: paid_at_s,
    )


def _trades(market: Market, stage: Stage) -> list[Trade]:
    """The tape's trades; each participant is played by the account of the same place in address order."""
    tape = market.tape
    return [
        Trade(
            trade_id=tape.trade_id(place),
            executed_at_s=int(tape.executed_at_s[place]),
            instrument=market.instruments[int(tape.instrument[place])],
            seller=stage.participants[int(tape.seller[place])],
            buyer=stage.participants[int(tape.buyer[place])],
            units=int(tape.units[place]),
            cash_usd6=int(tape.cash_usd6[place]),
        )
        for place in range(len(tape))
    ]


# ── the comparison ─────────────────────────────────────────────────────────


def _in_tape_order(market: Market, records: Sequence[SettlementRecord]) -> list[SettlementRecord]:
    by_id = {record.trade_id: record for record in records}
    names = [market.tape.trade_id(place) for place in range(len(market.tape))]
    if len(by_id) != len(records) or set(by_id) != set(names):
        raise ResultFailed(f"sample: {len(records)} records of {len(names)} trades")
    return [by_id[name] for name in names]


def _compare(market: Market, records: Sequence[SettlementRecord], expected: Outcome) -> None:
    """Raises:
    ResultFailed: the first difference.
    """
    model = expected.settlement
    for place, record in enumerate(records):
        final_s = int(model.finalized_at_s[place])
        said: dict[str, object] = {
            "status": SettlementStatus.FAILED if final_s == NEVER else SettlementStatus.SETTLED,
            "finalized_at_s": None if final_s == NEVER else final_s,
            "fail_reason": FailReason(int(model.fail_reason[place])).text,
            "principal_exposure_usd6_s": int(model.exposed_s[place]) * int(model.cash_usd6[place]),
        }
        columns = (
            "executed_at_s",
            "intended_at_s",
            "ended_at_s",
            "units",
            "cash_usd6",
            "attempts",
            "late_business_days",
            "prefunded_s",
            "fee_usd6",
            "penalty_usd6",
        )
        said |= {name: int(getattr(model, name)[place]) for name in columns}
        for name, value in said.items():
            found = getattr(record, name)
            if found != value:
                trade_id = market.tape.trade_id(place)
                raise ResultFailed(f"sample: trade {trade_id}: {name}: chain {found}, model {value}")


def _compare_transfers(market: Market, stage: Stage, book: CycleSettlement, expected: Outcome) -> None:
    """Every token movement of every cycle, in order.

    Raises:
        ResultFailed: the first difference.
    """
    moves, names = expected.moves, stage.participants
    said = []
    for place in range(len(moves)):
        is_cash = moves.cash_usd6[place] > 0
        giver, receiver = moves.deliverer[place], moves.receiver[place]
        if is_cash:
            giver, receiver = receiver, giver
        asset = CASH if is_cash else market.instruments[int(moves.instrument[place])]
        amount = int(moves.cash_usd6[place] + moves.units[place])
        said.append((int(moves.units_at_s[place]), asset, names[int(giver)], names[int(receiver)], amount))
    found = [(row.at_s, row.asset, row.giver, row.receiver, row.amount) for row in book.transfers]
    if found != said:
        place = next(
            n for n, pair in enumerate(zip([*found, None], [*said, None], strict=False)) if pair[0] != pair[1]
        )
        raise ResultFailed(
            f"sample: movement {place}: chain {found[place : place + 1]}, model {said[place : place + 1]}"
        )


def _summary(
    market: Market,
    profile: TokenisedProfile,
    engine: Engine,
    records: Sequence[SettlementRecord],
    expected: Outcome,
) -> SampleCheck:
    settled = [record for record in records if record.finalized_at_s is not None]
    failed = [record for record in records if record.finalized_at_s is None]
    at_once = [place for place, row in enumerate(records) if row.attempts == 1 and row.finalized_at_s]
    attempts_failed = sum(record.attempts for record in failed)
    return SampleCheck(
        world=profile.name,
        engine=engine.name,
        trades=len(records),
        tape=len(market.tape),
        settled=len(settled),
        late=sum(1 for record in settled if record.fail_reason),
        failed=len(failed),
        refused_for_securities=sum(1 for record in records if record.fail_reason == "securities"),
        refused_for_cash=sum(1 for record in records if record.fail_reason == "cash"),
        attempts=sum(record.attempts for record in records),
        mean_gas=_mean([records[place].gas for place in at_once], len(at_once)),
        mean_gas_model=_mean([int(expected.settlement.gas[place]) for place in at_once], len(at_once)),
        mean_gas_refused=_mean([record.gas for record in failed], attempts_failed),
    )


def _mean(gas: Sequence[int], count: int) -> int:
    return sum(gas) // count if count else 0
