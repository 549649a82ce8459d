"""objection: what an open report claims beyond a node's own observation

given a claim
├── below or equal to what was seen              none
├── above, within the share of the period        none
├── one unit above the bound                     registerWh, then creditedUsd6, with actual and bound
└── given nothing was seen in the period         no tolerance
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.hashing import ZERO32
from oracles.schema import Observation
from oracles.watch import Claim, Objection, objection

BEFORE = Claim(register_wh=100_000, credited_usd6=1_000)
OWN = Observation(
    asset_id=ZERO32,
    period_id=2,
    revision=0,
    register_wh=110_000,
    credited_usd6=3_000,
    completeness_bps=10_000,
    readings_root=ZERO32,
    observer="",
)


@pytest.mark.parametrize(
    ("register_wh", "credited_usd6", "expected"),
    [
        (110_000, 3_000, None),
        (0, 0, None),
        (110_200, 3_040, None),
        (110_201, 3_040, Objection(what="registerWh", actual=110_201, bound=110_200)),
        (110_200, 3_041, Objection(what="creditedUsd6", actual=3_041, bound=3_040)),
        (110_201, 3_041, Objection(what="registerWh", actual=110_201, bound=110_200)),
    ],
)
def test_only_too_much_is_objected_to(register_wh, credited_usd6, expected):
    claim = Claim(register_wh=register_wh, credited_usd6=credited_usd6)

    assert objection(claim, OWN, BEFORE) == expected


def test_a_period_without_energy_has_no_tolerance():
    own = replace(OWN, register_wh=BEFORE.register_wh)
    claim = Claim(register_wh=BEFORE.register_wh + 1, credited_usd6=0)

    assert objection(claim, own, BEFORE).bound == BEFORE.register_wh


def test_two_objections_have_two_pieces_of_evidence():
    one = Objection(what="registerWh", actual=2, bound=1)

    assert len(one.evidence) == 32
    assert one.evidence != replace(one, actual=3).evidence
