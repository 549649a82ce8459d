"""Gas that the model of the tokenised worlds takes as measured (`rails/profiles/tokenised`): refusals and locks.

refused
├── settle, seller short of units      costs what was reviewed
├── settle, buyer short of cash        the same, after the units had moved
├── netted, each of 50 all dropped     reported
└── netted, a trade alone              reported: what a cycle costs whoever is in it
cash off chain
├── units held, then released to the buyer     reported
└── held, but short of units                    reported
profiles
└── every gas figure marked L is one of the golden files'
"""

from __future__ import annotations

import json

import pytest

from rwa_sim.chain.instruction import Signed, build_cycle
from rwa_sim.rails.atomic import load_tokenised
from tests.contracts.dvp_kit import numbered, ready, signatures
from tests.contracts.kit import DAY_S, DOLLAR, agree, sign

from ..conftest import GOLDEN

COUNT = 50
REF = b"trigger".ljust(32, b"\0")


def refused_gas(market, terms) -> int:
    """Gas of a settlement that the chain refuses."""
    call = market.dvp.transaction(
        "settle",
        terms,
        sign(market, terms, market.seller),
        sign(market, terms, market.buyer),
        sender=market.stranger,
    )
    receipt = market.chain.submit([call])[0]
    assert not receipt.ok
    return receipt.gas_used


def test_what_refusals_and_locks_cost_is_as_reviewed(market, golden):
    figures = {}
    ready(market, market.seller, 100, 0)
    ready(market, market.buyer, 100, 0)
    figures["settle, buyer short"] = refused_gas(market, agree(market, units=10, cash_usd6=DOLLAR))
    figures["settle, seller short"] = refused_gas(market, agree(market, units=101, cash_usd6=DOLLAR))

    trades = [numbered(agree(market, units=1, cash_usd6=DOLLAR), number + 1) for number in range(COUNT)]
    matched = [Signed(terms, *signatures(market, terms)) for terms in trades]
    market.dvp.send("matchBatch", matched, sender=market.stranger, gas=100_000_000)
    cycle = market.dvp.send("settleCycle", build_cycle(trades), 1, sender=market.stranger, gas=100_000_000)
    dropped = list(market.dvp.events(cycle, "Dropped"))
    assert len(dropped) == COUNT
    figures["netted, dropped"] = cycle.gas_used // COUNT

    ready(market, market.buyer, 0, 10 * DOLLAR)
    ready(market, market.seller, 0, DOLLAR)
    alone = numbered(agree(market, units=1, cash_usd6=DOLLAR), COUNT + 1)
    market.dvp.send("matchSigned", alone, *signatures(market, alone), sender=market.stranger)
    netted = market.dvp.send("settleCycle", build_cycle([alone]), 1, sender=market.stranger)
    figures["netted, alone"] = netted.gas_used

    expires_s = market.now_s + DAY_S
    parties = (market.buyer.address, market.stranger.address)
    held = market.bond.send("hold", REF, *parties, 10, expires_s, sender=market.seller)
    placed = next(iter(market.bond.events(held, "HoldPlaced")))
    released = market.bond.send("executeHold", placed["holdId"], 10, sender=market.stranger)
    too_much = market.bond.transaction("hold", REF[::-1], *parties, 91, expires_s, sender=market.seller)
    refused = market.chain.submit([too_much])[0]
    assert not refused.ok
    figures["hold, short"] = refused.gas_used
    figures["hold and release"] = held.gas_used + released.gas_used

    golden("gas_model.json", figures)


@pytest.mark.parametrize(
    ("world", "key", "file", "figure"),
    [
        ("A1-prefunded", "gas_per_dvp", "gas_dvp_one", "settle"),
        ("A1-prefunded", "gas_refused_securities", "gas_model", "settle, seller short"),
        ("A1-prefunded", "gas_refused_cash", "gas_model", "settle, buyer short"),
        ("A2-lsm", "gas_match", "gas_dvp_one", "match"),
        ("A2-lsm", "gas_netted", "gas_dvp_many", "netted"),
        ("A2-lsm", "gas_netted_alone", "gas_model", "netted, alone"),
        ("A2-lsm", "gas_dropped", "gas_model", "netted, dropped"),
        ("A3-trigger", "gas_per_dvp", "gas_model", "hold and release"),
        ("A3-trigger", "gas_refused_securities", "gas_model", "hold, short"),
    ],
)
def test_the_profiles_take_gas_from_the_golden_files(world, key, file, figure):
    parameter = getattr(load_tokenised(world), key)
    measured = json.loads((GOLDEN / f"{file}.json").read_text("utf-8"))

    assert (parameter.value, parameter.mark) == (measured[figure], "L")
