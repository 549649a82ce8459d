"""Faults around the chain: reports that it must refuse, a transmitter that withholds, blocks that are undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracles.config import FeedConfig
from oracles.faults import nodes
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.schema import SignedReport
from rwa_sim.oracle_faults.catalogue.case import Case
from rwa_sim.oracle_faults.catalogue.signers import rotate
from rwa_sim.oracle_faults.deal import QUORUM, node_keys
from rwa_sim.oracle_faults.setup import Setup
from rwa_sim.oracle_faults.world import World

_TTL_S = 31 * DAY_S
_FORGOTTEN_S = 60


def chain_cases(seed: int) -> list[Case]:
    """The cases of classes 18, 19, 26 and 27."""

    def case(number: int, letter: str, text: str, **terms: Any) -> Case:
        return Case(number=number, letter=letter, text=text, setup=Setup(**terms))

    def before_rotation(world: World, signed: SignedReport, now_s: int) -> None:
        _before_rotation(world, signed, now_s, seed)

    return [
        case(18, "b", "a report with a high s", before_report=_malleable),
        case(18, "c", "a report signed for another chain", before_report=_foreign_chain),
        case(18, "d", "a report of a configuration that never was", before_report=_unknown_config),
        case(
            18, "e", "a report of the signer set before the rotation", before_report=before_rotation,
            between=lambda world, turn: rotate(world, seed) if turn == 1 else None,
        ),
        case(19, "a", "every report sent again, while open and after, and the one before", transmit=_again),
        case(26, "a", "silent for three days, then a stranger sends", transmit=_stranger),
        case(26, "b", "withheld until it has expired", transmit=_expired),
        case(27, "a", "the chain forgets report, window and payout", transmit=_forgets_payout),
        case(27, "b", "it forgets the report within the window", transmit=_forgets_report),
        case(27, "c", "it forgets that the report was final, before the payout", transmit=_forgets_finality),
    ]  # fmt: skip


def _signed_by_three(
    world: World, config: FeedConfig, signed: SignedReport, keys: list[bytes]
) -> SignedReport:
    return nodes.signed_by(config, signed.report, *(SecretKey(key) for key in keys[:QUORUM]))


def _malleable(world: World, signed: SignedReport, now_s: int) -> None:
    world.notices.begin_fault(now_s)
    world.desk.bring(nodes.with_high_s(signed), now_s)


def _foreign_chain(world: World, signed: SignedReport, now_s: int) -> None:
    world.notices.begin_fault(now_s)
    elsewhere = replace(world.config, chain_id=world.config.chain_id + 1)
    world.desk.bring(_signed_by_three(world, elsewhere, signed, world.keys), now_s)


def _unknown_config(world: World, signed: SignedReport, now_s: int) -> None:
    world.notices.begin_fault(now_s)
    old = replace(signed, report=replace(signed.report, config_digest=bytes(31) + b"\x01"))
    world.desk.bring(_signed_by_three(world, world.config, old, world.keys), now_s)


def _before_rotation(world: World, signed: SignedReport, now_s: int, seed: int) -> None:
    """The set that was rotated out signs once more what the new one has signed."""
    if world.config.config_count == 1:
        return
    world.notices.begin_fault(now_s)
    keys = node_keys(seed)
    signers = tuple(sorted((SecretKey(key).address for key in keys), key=lambda each: int(each, 16)))
    before = replace(world.config, signers=signers, config_count=world.config.config_count - 1)
    old = replace(signed, report=replace(signed.report, config_digest=before.digest))
    world.desk.bring(_signed_by_three(world, before, old, keys), now_s)


def _again(world: World, signed: SignedReport, now_s: int) -> bool:
    world.notices.begin_fault(now_s)
    is_open = world.desk.bring(signed, now_s)
    world.desk.bring(signed, now_s)
    done = is_open and world.finish(signed)
    world.desk.bring(signed, now_s)
    before = world.signed.get(signed.report.period_id - 1)
    if before is not None:
        world.desk.bring(before, now_s)
    return done


def _stranger(world: World, signed: SignedReport, now_s: int) -> bool:
    world.notices.begin_fault(now_s)
    return world.send(signed, now_s + 3 * DAY_S)


def _expired(world: World, signed: SignedReport, now_s: int) -> bool:
    """The first report of the second month is kept back; its revision is sent."""
    if signed.report.period_id != 2 or signed.report.revision:
        return world.send(signed, now_s)
    world.notices.begin_fault(now_s)
    return world.send(signed, now_s + _TTL_S)


def _forgets_payout(world: World, signed: SignedReport, now_s: int) -> bool:
    """The report is sent, final, and pays; all is undone, and it is sent again, twice."""
    world.notices.begin_fault(now_s)
    with world.note.rolled_back():
        world.send(signed, now_s)
        world.note.pay_holders()
    done = world.send(signed, now_s + _FORGOTTEN_S)
    world.desk.bring(signed, now_s + _FORGOTTEN_S)
    return done


def _forgets_report(world: World, signed: SignedReport, now_s: int) -> bool:
    """The open report is gone with its block: nothing can be made final, and its window begins anew."""
    world.notices.begin_fault(now_s)
    with world.note.rolled_back():
        world.desk.bring(signed, now_s)
    told = world.note.finalise(signed.report.period_id, now_s + DAY_S)
    world.notices.add(told.refusal, now_s + DAY_S, signed.report.period_id)
    return world.send(signed, now_s + DAY_S)


def _forgets_finality(world: World, signed: SignedReport, now_s: int) -> bool:
    """The report is open again, and is made final again, twice."""
    world.notices.begin_fault(now_s)
    if not world.desk.bring(signed, now_s):
        return False
    with world.note.rolled_back():
        world.finish(signed)
    done = world.finish(signed)
    told = world.note.finalise(signed.report.period_id, world.note.now_s)
    world.notices.add(told.refusal, now_s, signed.report.period_id)
    return done
