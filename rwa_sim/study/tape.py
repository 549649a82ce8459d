"""A study's tape in one world, for a chain: as long as asked, collected into blocks as long as asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rwa_sim.errors import InputError, UnknownName
from rwa_sim.rails.atomic import TokenisedProfile
from rwa_sim.rails.columns import Market
from rwa_sim.study.document import LoadedStudy, load_study
from rwa_sim.study.runner import market_of
from rwa_sim.study.worlds import load_worlds


def load_for_tape(study: str, trades: int | None, seed: int | None) -> LoadedStudy:
    """A study; with more trades a day if its drawn tape would be too short.

    Raises:
        DataMissing, InputError, UnknownName: as `load_study`.
    """
    changes: Mapping[str, Any] = {} if seed is None else {"seed": seed}
    loaded = load_study(study, changes)
    market = loaded.study.market
    if trades is None or market is None or market.terms().trades >= trades:
        return loaded
    return load_study(study, {**changes, "market.trades_per_day": -(-trades // market.days)})


def world_for_tape(loaded: LoadedStudy, world: str, collect_s: int | None) -> TokenisedProfile:
    """A study's world on a chain, its blocks `collect_s` seconds apart if that is given.

    Raises:
        UnknownName: the study has no such world.
        InputError: its cash or its units are on no chain, or it takes no such blocks.
    """
    worlds = load_worlds(loaded)
    if world not in worlds:
        raise UnknownName(where=str(loaded.path), key="--world", got=world, known=tuple(worlds))
    profile = worlds[world].profile
    if not isinstance(profile, TokenisedProfile):
        raise InputError(where=str(loaded.path), key="--world", expected="a world on a chain", got=world)
    if collect_s is None:
        return profile
    return profile.with_values(block_s=collect_s, cycle_s=max(collect_s, profile.cycle_s.value))


def tape_of(loaded: LoadedStudy, number: int, trades: int | None) -> Market:
    """The market of one seed with the first so many trades of its tape, or all.

    Raises:
        InputError: the tape has fewer.
    """
    market = market_of(loaded, number)
    if trades is None:
        return market
    if trades > len(market.tape):
        raise InputError(
            where=str(loaded.path), key="--trades", expected=f"at most {len(market.tape)}", got=str(trades)
        )
    return replace(market, tape=market.tape.first(trades))
