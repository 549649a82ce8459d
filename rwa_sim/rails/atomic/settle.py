"""One tokenised world: signing, the mode's play, columns."""

from __future__ import annotations

import numpy as np

from rwa_sim.rails.atomic.cycles import play_cycles
from rwa_sim.rails.atomic.gross import play_gross
from rwa_sim.rails.atomic.outcome import build_outcome
from rwa_sim.rails.atomic.profile import TokenisedProfile
from rwa_sim.rails.atomic.trigger import play_trigger
from rwa_sim.rails.columns import Ints, Market, Outcome
from rwa_sim.rails.streams import stream

PLAYS = {"gross": play_gross, "cycle": play_cycles, "trigger": play_trigger}


def settle(profile: TokenisedProfile, market: Market, rng_seed: str) -> Outcome:
    """What this world does with the market's tape.

    Args:
        profile: the world.
        market: holdings and tape; cash on chain, in mode trigger in the payment system.
        rng_seed: such as "20261120:3:A1"; same text, same outcome.

    Raises:
        ValueError: the market's columns do not fit each other.
        CalendarYearMissing: mode trigger meets a year without holiday data.
    """
    validate_market(market)
    signed_s = signing_s(profile, market, rng_seed)
    return build_outcome(profile, market, PLAYS[profile.mode](profile, market, signed_s))


def signing_s(profile: TokenisedProfile, market: Market, rng_seed: str) -> Ints:
    """The second in which both parties have signed each trade: uniform, 1 to `affirm_delay_max_s` after it.

    A tape's beginning gets the same delays as the whole.
    """
    tape = market.tape
    delays_s = stream(rng_seed, "affirmation").integers(1, profile.affirm_delay_max_s.value + 1, len(tape))
    return tape.executed_at_s + delays_s


def validate_market(market: Market) -> None:
    """Raises:
    ValueError: shapes differ, a place is out of range, the tape does not ascend, or an amount is below zero.
    """
    tape = market.tape
    count, parties, assets = len(tape), len(market.participants), len(market.instruments)
    columns = (tape.instrument, tape.seller, tape.buyer, tape.units, tape.cash_usd6)
    if any(len(column) != count for column in columns):
        raise ValueError("the tape's columns differ in length")
    if market.opening_units.shape != (parties, assets) or market.opening_cash_usd6.shape != (parties,):
        raise ValueError(f"opening holdings are not of {parties} participants and {assets} instruments")
    if np.any(np.diff(tape.executed_at_s) < 0):
        raise ValueError("the tape does not ascend by executed_at_s")
    for column, end in ((tape.instrument, assets), (tape.seller, parties), (tape.buyer, parties)):
        if np.any((column < 0) | (column >= end)):
            raise ValueError("the tape names a place that the market does not have")
    if np.any(tape.seller == tape.buyer):
        raise ValueError("a trade has one party on both sides")
    amounts = (tape.units, tape.cash_usd6, market.opening_units, market.opening_cash_usd6)
    if any(np.any(column < 0) for column in amounts):
        raise ValueError("an amount is below zero")
