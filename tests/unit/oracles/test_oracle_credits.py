"""CreditLedger: what is explained, and what is remembered

cumulative_usd6
├── without a tariff                        what the bank says
├── given less energy than cash             what the energy is worth; the rest is unexplained, and follows later
└── any credits and energy                  never more than either has been, never falls
add
├── the same statement after its report     known, counts once
├── booked no later than one forgotten      refused: it may have been counted
└── many years                              no more entries than are kept
node
├── tariff below 0                          refused
├── cash that the energy does not explain   left out, flagged, said as an attribute
└── the register it began at                explains nothing
"""

from __future__ import annotations

from fractions import Fraction

import oracle_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_kit import HOUR_S, T0

from oracles.credits import CreditLedger
from oracles.expected import Judgement
from oracles.network import OracleNetwork
from oracles.periods import PeriodSchedule
from oracles.registry import AssetRegistry
from oracles.schema import EntryKind
from rwa_sim.errors import InputError, MalformedReading

FEBRUARY, MARCH = kit.utc_s(2026, 2), kit.utc_s(2026, 3)


def test_cash_that_energy_does_not_explain_follows_when_it_does():
    ledger = CreditLedger(kit.months())
    ledger.add(kit.credit("a", 100))

    assert ledger.cumulative_usd6(1, FEBRUARY, explained_usd6=70) == 70
    assert ledger.unexplained_usd6 == 30
    assert ledger.cumulative_usd6(2, MARCH, explained_usd6=120) == 100
    assert ledger.unexplained_usd6 == 0


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans(), st.integers(0, 150)), min_size=1, max_size=12))
def test_never_more_than_either_source_and_never_a_fall(steps):
    schedule = PeriodSchedule(T0 + HOUR_S * n for n in range(len(steps) + 1))
    ledger = CreditLedger(schedule)
    bank_usd6, said = 0, [0]
    highest_bank = highest_energy = 0
    for number, (amount, is_reversal, energy_usd6) in enumerate(steps, start=1):
        kind = EntryKind.DEBIT if is_reversal else EntryKind.CREDIT
        at_s = schedule.period(number).start_s
        ledger.add(kit.credit(f"e{number}", amount, kind=kind, reversal=is_reversal, booked_at_s=at_s))
        bank_usd6 += -amount if is_reversal else amount
        highest_bank, highest_energy = max(highest_bank, bank_usd6), max(highest_energy, energy_usd6)

        reported = ledger.cumulative_usd6(number, at_s, explained_usd6=energy_usd6)

        assert reported == max(said[-1], min(bank_usd6, energy_usd6))
        assert said[-1] <= reported <= min(highest_bank, highest_energy)
        said.append(reported)


def test_an_entry_counts_once_and_too_old_a_one_is_refused():
    ledger = CreditLedger(kit.months(), kept_entries=2)
    for number in range(4):
        ledger.add(kit.credit(f"e{number}", 10, booked_at_s=T0 + number))
    assert ledger.cumulative_usd6(1, FEBRUARY) == 40

    assert not ledger.add(kit.credit("e3", 10, booked_at_s=T0 + 3)), "remembered"
    with pytest.raises(MalformedReading, match="booked_at_s: expected an entry booked after"):
        ledger.add(kit.credit("e0", 10, booked_at_s=T0))
    with pytest.raises(MalformedReading, match="one entry per reference"):
        ledger.add(kit.credit("e3", 11, booked_at_s=T0 + 3))
    assert ledger.cumulative_usd6(1, FEBRUARY) == 40


def test_a_long_life_keeps_no_more_entries_than_it_says():
    days = 400
    schedule = PeriodSchedule(T0 + 86_400 * day for day in range(days + 1))
    ledger = CreditLedger(schedule, kept_entries=50)
    for period in schedule:
        ledger.add(kit.credit(f"e{period.period_id}", 1, booked_at_s=period.start_s))
        assert ledger.cumulative_usd6(period.period_id, period.end_s) == period.period_id

    assert (len(ledger._digests), len(ledger._open), len(ledger._counted)) == (50, 0, 50)


def paid(tariff, **changes) -> OracleNetwork:
    network = OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=kit.months(),
        registry=AssetRegistry([kit.spec(**changes)]),
        tariff=tariff,
    )
    network.feed(kit.hourly([10_100, 10_200, 11_000]))
    network.credit(kit.credit("a", 2_000))
    return network


@pytest.mark.parametrize(
    ("tariff", "credited_usd6", "unexplained_usd6"),
    [
        (None, 2_000, 0),
        (Fraction(1, 3), 333, 1_667),
        (Fraction(1_999, 1_000), 1_999, 1),
        (Fraction(2), 2_000, 0),
        (Fraction(0), 0, 2_000),
    ],
)
def test_a_node_reports_what_the_energy_explains(tariff, credited_usd6, unexplained_usd6):
    network = paid(tariff, initial_register_wh=10_000)

    report = network.close_period(1, FEBRUARY).report
    node = network.nodes[0]

    assert report.cumulative_credited_usd6 == credited_usd6
    assert node.unexplained_usd6 == unexplained_usd6
    flags = [(each.judgement, each.rule, each.actual, each.bound) for each in node.findings.get(1, ())]
    expected = [(Judgement.FLAG, "unexplained credit", 2_000, credited_usd6)] if unexplained_usd6 else []
    assert flags == expected


def test_a_tariff_below_zero_is_refused():
    with pytest.raises(InputError, match="tariff: expected 0 or more"):
        paid(Fraction(-1))
