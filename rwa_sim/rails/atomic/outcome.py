"""What a play did, as columns: the world's `Settlement` and its `Moves`."""

from __future__ import annotations

import numpy as np

from rwa_sim.rails.atomic.cycles import cycle_block_s, first_cycle
from rwa_sim.rails.atomic.opening import next_open_s
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.progress import Progress
from rwa_sim.rails.columns import NEVER, FailReason, Ints, Market, Moves, Outcome, Settlement


def build_outcome(profile: TokenisedProfile, market: Market, progress: Progress) -> Outcome:
    """Columns of a play. A movement's second is its block, when the new holder can use what he got; a trade is
    final `finality_blocks` later. A trade that settled late keeps the reason of its first refusal.

    Costs: `gas` of all attempts; `fee_usd6` is 0, because gas has a price of its own in the profile.
    """
    tape = market.tape
    units_s, cash_s = np.array(progress.units_s, np.int64), np.array(progress.cash_s, np.int64)
    settled = units_s != NEVER
    final_s = np.where(settled, units_s + profile.finality_s, NEVER)
    deadline_s = tape.executed_at_s + profile.deadline_s.value
    ended_s = np.where(settled, final_s, deadline_s)
    intended_s = intended_at_s(profile, tape.executed_at_s)
    late = ~settled | (final_s > intended_s)
    reason = np.where(late, np.array(progress.first_reason, np.int64), int(FailReason.NONE))
    nothing = np.zeros(len(tape), np.int64)
    is_trigger = profile.mode == "trigger"
    return Outcome(
        settlement=Settlement(
            world=profile.name,
            executed_at_s=tape.executed_at_s,
            intended_at_s=intended_s,
            finalized_at_s=final_s,
            ended_at_s=ended_s,
            units=tape.units,
            cash_usd6=tape.cash_usd6,
            attempts=np.array(progress.attempts, np.int64),
            late_business_days=_late_days(profile, late, intended_s, ended_s) if is_trigger else nothing,
            fail_reason=reason,
            exposed_s=np.where(settled, final_s - cash_s, 0) if is_trigger else nothing,
            prefunded_s=np.full(len(tape), profile.prefund_s.value, np.int64),
            fee_usd6=nothing,
            penalty_usd6=nothing,
            buy_in_usd6=nothing,
            gas=_gas(profile, progress, settled),
            pieces=settled.astype(np.int64),
            daisy=np.array(progress.daisy, np.bool_) & (reason == FailReason.SECURITIES),
        ),
        moves=_moves(market, progress, units_s, cash_s),
    )


def intended_at_s(profile: TokenisedProfile, executed_s: Ints) -> Ints:
    """The second by which a trade should be final if it is signed as late as may be and nothing is short."""
    block_s, signed_s = profile.block_s.value, executed_s + profile.affirm_delay_max_s.value
    slot_s = -(-signed_s // block_s) * block_s
    if profile.mode == "cycle":
        slot_s = cycle_block_s(profile, first_cycle(profile, signed_s))
    if profile.mode == "trigger" and len(executed_s):
        ordered_s = slot_s + profile.trigger_latency_s.value
        sessions = profile.payment_hours.sessions(int(ordered_s[0]), int(ordered_s[-1]))
        released_s = next_open_s(sessions, ordered_s) + profile.release_latency_s.value
        slot_s = -(-released_s // block_s) * block_s
    return np.asarray(slot_s + profile.finality_s, np.int64)


def _gas(profile: TokenisedProfile, progress: Progress, settled: np.ndarray) -> Ints:
    short_of_units, short_of_cash = np.array(progress.short_of_units), np.array(progress.short_of_cash)
    if profile.mode == "cycle":
        dropped = profile.gas_dropped.value * (short_of_units + short_of_cash)
        netted = settled * profile.gas_netted.value + np.array(progress.shared_gas)
        gas = profile.gas_match.value + netted + dropped
    elif profile.mode == "trigger":
        locked = np.array(progress.locked)
        gas = locked * profile.gas_per_dvp.value + short_of_units * profile.gas_refused_securities.value
    else:
        refused = short_of_units * profile.gas_refused_securities.value
        refused = refused + short_of_cash * profile.gas_refused_cash.value
        gas = settled * profile.gas_per_dvp.value + refused
    return np.asarray(gas, np.int64)


def _late_days(profile: TokenisedProfile, late: np.ndarray, intended_s: Ints, ended_s: Ints) -> Ints:
    """Business days of the payment system from the intended day to the day it ended, for late trades."""
    hours = profile.payment_hours
    days = np.zeros(len(late), np.int64)
    for place in np.flatnonzero(late).tolist():
        first, last = hours.local_date(int(intended_s[place])), hours.local_date(int(ended_s[place]))
        days[place] = max(0, hours.calendar.business_days_between(first, last)) if last > first else 0
    return days


def _moves(market: Market, progress: Progress, units_s: Ints, cash_s: Ints) -> Moves:
    if progress.net_moves is not None:
        rows = np.array(progress.net_moves, np.int64).reshape(-1, 6)
        instrument, deliverer, receiver, units, usd6, at_s = (np.ascontiguousarray(c) for c in rows.T)
        return Moves(
            trade=np.full(len(rows), -1, np.int64),
            instrument=instrument,
            deliverer=deliverer,
            receiver=receiver,
            units=units,
            cash_usd6=usd6,
            units_at_s=at_s,
            cash_at_s=at_s,
        )
    tape = market.tape
    trade = np.flatnonzero(units_s != NEVER)
    return Moves(
        trade=trade,
        instrument=tape.instrument[trade],
        deliverer=tape.seller[trade],
        receiver=tape.buyer[trade],
        units=tape.units[trade],
        cash_usd6=tape.cash_usd6[trade],
        units_at_s=units_s[trade],
        cash_at_s=cash_s[trade],
    )
