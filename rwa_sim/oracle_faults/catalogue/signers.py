"""Faults of the nodes: some that lie, are away, or contradict themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from oracles.faults import nodes
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.registry import CEILING_PERCENT, SECONDS_PER_HOUR
from oracles.schema import Observation, SignedReport
from oracles.watch import MOST_SPREAD_BPS
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.deal import NODES, QUORUM, node_keys
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import Setup
from rwa_sim.oracle_faults.world import World

COLLUDING = range(QUORUM)
SPARE = NODES + 1  # number of the first node that stands by
ROTATED_AFTER_S = DAY_S


def signer_cases(series: Series, seed: int) -> list[Case]:
    """The cases of classes 21, 22, 24 and 25."""

    def case(number: int, letter: str, text: str, *, is_measured: bool = False, **terms: Any) -> Case:
        setup = Setup(**terms)
        return Case(number=number, letter=letter, text=text, setup=setup, is_measured=is_measured)

    double = dict.fromkeys(COLLUDING, _register_times(200))
    within = nodes.WithinTolerance(MOST_SPREAD_BPS)
    return [
        case(21, "a", "one of four doubles everything", lies={1: _times(200)}),
        case(21, "b", "one of four halves everything", lies={2: _times(50)}),
        case(22, "a", "three of four double the register, the off-taker pays", lies=double),
        case(22, "b", "three of four double the credit", lies=dict.fromkeys(COLLUDING, _credit_times(200))),
        case(
            22, "c", "two of four say 101 %, an honest node is away", offline=lambda turn: frozenset({3}),
            lies=dict.fromkeys((0, 1), _register_times(101)),
        ),
        case(22, "d", "as a, and nobody watches", lies=double, is_watched=False, is_measured=True),
        case(
            22, "e", "nobody watches: as much as the chain's own bounds let pass", is_watched=False,
            is_measured=True, lies=dict.fromkeys(COLLUDING, _nameplate(series)),
        ),
        case(
            22, "f", "as much as the watcher tolerates", is_measured=True, lies=dict.fromkeys(COLLUDING, within),
        ),
        case(
            22, "g", "three of four say 120 % of the credit, nobody watches", is_watched=False,
            lies=dict.fromkeys(COLLUDING, _credit_times(120)),
        ),
        case(
            22, "h", "as d, and an auditor pulls the ripcord in the window", lies=double, is_watched=False,
            transmit=_ripcord,
        ),
        case(
            22, "i", "three of four double the credit once, and are mended",
            lies=dict.fromkeys(COLLUDING, _once(_credit_times(200))),
        ),
        case(24, "a", "one of four is away", offline=lambda turn: frozenset({turn % 4})),
        case(24, "b", "two are away for a month", offline=lambda turn: frozenset({0, 1}) if turn == 2 else frozenset()),
        case(24, "c", "two stay away", offline=lambda turn: frozenset({0, 1}) if turn >= 2 else frozenset()),
        case(
            24, "d", "two are dead, and the signer set is rotated",
            offline=lambda turn: frozenset({0, 1}) if turn == 2 else frozenset(),
            between=lambda world, turn: rotate(world, seed) if turn == 2 else None,
        ),
        case(25, "a", "one signs two reports of the month, shown in the window", transmit=_shown_after),
        case(25, "b", "the same, shown before the report is sent", transmit=_shown_before),
    ]  # fmt: skip


# ── lies ───────────────────────────────────────────────────────────────────


def _times(percent: int) -> nodes.Lie:
    register, credit = _register_times(percent), _credit_times(percent)
    return lambda honest: credit(register(honest))


def _register_times(percent: int) -> nodes.Lie:
    return lambda honest: replace(honest, register_wh=honest.register_wh * percent // 100)


def _credit_times(percent: int) -> nodes.Lie:
    return lambda honest: replace(honest, credited_usd6=honest.credited_usd6 * percent // 100)


def _once(lie: nodes.Lie) -> nodes.Lie:
    """The lie in the first report of a period, the truth in its revisions."""
    return lambda honest: honest if honest.revision else lie(honest)


def _nameplate(series: Series) -> nodes.Lie:
    """As if the plant had run at the bound of the feed all the time."""

    def lie(honest: Observation) -> Observation:
        edges = series.boundaries_s[: honest.period_id + 1]
        most_wh = sum(
            series.nameplate_w * (end_s - start_s) * CEILING_PERCENT // (SECONDS_PER_HOUR * 100) + 1
            for start_s, end_s in pairwise(edges)
        )
        return replace(honest, register_wh=most_wh)

    return lie


# ── what the others do ─────────────────────────────────────────────────────


def rotate(world: World, seed: int) -> None:
    """Two nodes that stand by take the place of the first two."""
    keys = [*node_keys(seed, SPARE, 2), *world.keys[2:]]
    world.rotate(keys, world.note.now_s + ROTATED_AFTER_S)


def _ripcord(world: World, signed: SignedReport, now_s: int) -> bool:
    is_new = not world.note.is_open(1, 0)
    if signed.report.period_id == 1 and is_new and world.desk.bring(signed, now_s):
        world.note.pull_ripcord("more than the sky", now_s + DAY_S // 2)
        world.notices.add("ripcord", now_s + DAY_S // 2, 1)
        return world.finish(signed)
    return world.send(signed, now_s)


def _shown_after(world: World, signed: SignedReport, now_s: int) -> bool:
    """Node 0 signs another report of the second month; both are shown while the true one is open."""
    if signed.report.period_id != 2:
        return world.send(signed, now_s)
    world.notices.begin_fault(now_s)
    is_open = world.desk.bring(signed, now_s)
    _show(world, signed, now_s)
    return is_open and world.finish(signed)


def _shown_before(world: World, signed: SignedReport, now_s: int) -> bool:
    """The true report was made with the removed node's view: the others sign the next revision."""
    if signed.report.period_id != 2:
        return world.send(signed, now_s)
    world.notices.begin_fault(now_s)
    _show(world, signed, now_s)
    if world.send(signed, now_s):
        return True
    again = world.revise(2, now_s + DAY_S)
    return again is not None and world.send(again, now_s + DAY_S)


def _show(world: World, signed: SignedReport, now_s: int) -> None:
    """Bring both signatures of node 0 to the chain, which removes it."""
    key = SecretKey(world.keys[0])
    second = nodes.contradicting(world.config, signed, key)
    world.desk.bring(second, now_s)  # a lone signature is no quorum
    mine = nodes.signature_of(world.config, signed, key.address)
    told = world.note.prove_equivocation(signed, second, (mine, second.signatures[0]), now_s)
    world.notices.add(told.refusal or "equivocation proof", now_s, signed.report.period_id)
    if not world.note.is_signer(key.address):
        world.notices.add("signer removed", now_s, signed.report.period_id)
        world.removed.add(0)
        world.network.set_online(0, False)
