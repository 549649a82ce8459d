"""The conventional rail as a run sees it, and records as columns

ConventionalRail.settle
├── records            one a trade, in tape order; exposure none
├── events             every state, in order; failed days counted; partial, bought in, abandoned
├── mechanical         starts from the allotments and the cash given
└── nothing            no record
columns
├── records and back   the same columns, but for the daisy mark
└── a reason           that is none is refused
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rwa_sim.domain.records import SettlementStatus, Trade
from rwa_sim.rails.columns import SETTLEMENT_COLUMNS, Outcome, records_of, settlement_of
from rwa_sim.rails.conventional import ConventionalRail, FailEngine, settle
from rwa_sim.rails.events import EventLog
from rwa_sim.rails.market_profile import load_profile
from tests.unit.rails.rail_kit import USD6, at, punctual, random_market

LIFE = ["Executed", "Allocated", "Affirmed", "Instructed", "Matched", "Eligible"]


def trade(
    number: int, seller: str = "a", buyer: str = "b", when: str = "2026-03-02T10:00", units: int = 10
) -> Trade:
    return Trade(
        trade_id=f"X{number}",
        executed_at_s=at(when),
        instrument="A",
        seller=seller,
        buyer=buyer,
        units=units,
        cash_usd6=1000 * USD6,
    )


def run(profile, tape, **options):
    log = EventLog()
    return ConventionalRail(profile, log, "1", **options).settle(tape), list(log)


def kinds(events, trade_id):
    return [event.kind for event in events if dict(event.fields)["trade_id"] == trade_id]


def test_a_record_for_each_trade_in_tape_order():
    records, _ = run(load_profile("EU-T2-T2S"), [trade(2), trade(1)])

    assert [record.trade_id for record in records] == ["X2", "X1"]
    assert {record.rail for record in records} == {"conventional"}
    assert all(r.principal_exposure_usd6_s == r.prefunded_s == r.gas == 0 for r in records)


def test_events_name_every_state_in_order_of_time():
    records, events = run(load_profile("EU-T2-T2S"), [trade(n) for n in range(300)])

    for record in records:
        states = kinds(events, record.trade_id)
        failed = states.count("Failed")
        assert failed == record.late_business_days
        if not failed or record.fail_reason == "statistical":
            assert states == [*LIFE, *["Failed"] * failed, "Final"]
    assert any(record.late_business_days for record in records)


def test_mechanical_events_tell_of_partial_buy_in_and_abandoned():
    tape = [trade(1, units=10), trade(2, seller="e", when="2026-03-03T10:00"), trade(3, seller="f")]
    records, events = run(
        punctual(buy_in_after_bd=2),
        tape,
        engine=FailEngine.MECHANICAL,
        holdings={"A": {"a": 4, "c": 20, "d": 1}},
        cash_usd6={"a": 100 * USD6, "b": 5000 * USD6, "e": 100 * USD6},
    )

    assert kinds(events, "X1") == [*LIFE, "Partial", "Failed", "Failed", "BoughtIn", "Final"]
    assert kinds(events, "X2") == [*LIFE, "Failed", "Failed", "BoughtIn", "Final"]
    assert kinds(events, "X3") == [*LIFE, *["Failed"] * 61, "Abandoned"], "f cannot pay the premium"
    assert records[0].buy_in_usd6 == 6 * USD6, "one per cent of the six units' part"
    assert [record.pieces for record in records] == [2, 1, 0]
    assert records[2].status is SettlementStatus.FAILED
    assert records[2].fail_reason == "securities"


def test_an_empty_tape_gives_no_record():
    assert run(load_profile("EU-T2-T2S"), []) == ([], [])


@pytest.mark.parametrize("engine", FailEngine)
def test_records_and_back_are_the_same_columns(engine):
    market = random_market(5, 200)
    done = settle(load_profile("EU-T2-T2S"), market, "1", engine=engine).settlement
    exposed = replace(done, exposed_s=np.arange(200), gas=np.arange(200))

    records = records_of(Outcome(settlement=exposed, moves=None), market, "conventional")
    back = settlement_of(records)

    assert back.world == "EU-T2-T2S"
    assert records[7].principal_exposure_usd6_s == 7 * records[7].cash_usd6
    for name in SETTLEMENT_COLUMNS:
        assert (getattr(back, name) == getattr(exposed, name)).all(), name


def test_a_reason_that_is_none_is_refused():
    (record,), _ = run(load_profile("EU-T2-T2S"), [trade(1)])

    with pytest.raises(ValueError, match="no fail reason 'moonlight'"):
        settlement_of([replace(record, fail_reason="moonlight")])
    assert len(settlement_of([])) == 0
