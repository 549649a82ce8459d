"""Gridlock resolution by three rules, and the command that runs them.

resolve
├── given the textbook gridlock       fifo settles nothing, the others everything
├── given one payment too many        bech-soramaki drops the latest of who is short
├── given a choice                    optimal settles more value than the rule
├── given any queue (property)        balances end at zero or above, cash is conserved, each rule keeps its own law
└── given a long queue                optimal is refused
netting (command)
├── amounts                           are printed exactly, whatever their digits
└── bad input                         exit 2 by the error's code, names file and key
"""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from rwa_sim.cli import netting
from rwa_sim.errors import InputError
from rwa_sim.rails.netting import MAX_OPTIMAL, Payment, Rule, resolve


def queue(*rows: str) -> list[Payment]:
    """'A B 5' is a payment of 5 by A to B; ids are T1, T2, ..."""
    payments = []
    for number, row in enumerate(rows, start=1):
        payer, payee, amount = row.split()
        payments.append(Payment(payment_id=f"T{number}", payer=payer, payee=payee, amount=Fraction(amount)))
    return payments


def settled(opening: dict[str, int], rows: list[Payment], rule: Rule) -> list[str]:
    result = resolve({name: Fraction(value) for name, value in opening.items()}, rows, rule)
    return [payment.payment_id for payment in result.settled]


def test_a_ring_without_cash_is_gridlocked_for_fifo_and_settles_as_a_whole():
    ring = queue("A B 5", "B C 5", "C A 5")

    assert settled({}, ring, Rule.FIFO) == []
    assert settled({}, ring, Rule.BECH_SORAMAKI) == ["T1", "T2", "T3"]
    assert settled({}, ring, Rule.OPTIMAL) == ["T1", "T2", "T3"]


def test_fifo_pays_on_what_came_in_but_keeps_each_payers_order():
    rows = queue("A B 4", "B C 3", "B A 9", "B C 1")

    assert settled({"A": 4}, rows, Rule.FIFO) == ["T1", "T2"]


def test_the_latest_payment_of_who_is_short_is_dropped():
    """A and B each pay the other; A's second payment is what it cannot cover."""
    rows = queue("A B 10", "B A 8", "A B 5")

    assert settled({"A": 3}, rows, Rule.BECH_SORAMAKI) == ["T1", "T2"]


def test_dropping_cascades_to_who_was_counting_on_it():
    rows = queue("A B 10", "B C 10", "C D 10")

    assert settled({}, rows, Rule.BECH_SORAMAKI) == []
    assert settled({"A": 10}, rows, Rule.BECH_SORAMAKI) == ["T1", "T2", "T3"]


def test_optimal_may_take_a_later_payment_that_the_rule_must_drop():
    rows = queue("A B 6", "A B 5", "B A 1")

    assert settled({"A": 5}, rows, Rule.BECH_SORAMAKI) == ["T1", "T3"]
    assert settled({"A": 4}, rows, Rule.BECH_SORAMAKI) == []
    assert settled({"A": 4}, rows, Rule.OPTIMAL) == ["T2", "T3"]


def test_a_queue_too_long_for_a_search_is_refused():
    rows = queue(*["A B 1"] * (MAX_OPTIMAL + 1))

    with pytest.raises(InputError, match=f"at most {MAX_OPTIMAL} payments"):
        resolve({}, rows, Rule.OPTIMAL)


NAMES = st.sampled_from("ABCD")
QUEUES = st.lists(
    st.tuples(NAMES, NAMES, st.integers(1, 20)).filter(lambda row: row[0] != row[1]), max_size=8
).map(lambda rows: queue(*[f"{a} {b} {n}" for a, b, n in rows]))
OPENINGS = st.dictionaries(NAMES, st.integers(0, 30).map(Fraction), max_size=4)


def ends_well(opening, payments) -> bool:
    balances = dict.fromkeys("ABCD", Fraction(0)) | opening
    for payment in payments:
        balances[payment.payer] -= payment.amount
        balances[payment.payee] += payment.amount
    return min(balances.values()) >= 0


@given(opening=OPENINGS, rows=QUEUES)
def test_any_queue_conserves_cash_and_each_rule_keeps_its_law(opening, rows):
    results = {rule: resolve(opening, rows, rule) for rule in Rule}
    for result in results.values():
        assert min(result.closing.values(), default=0) >= 0
        assert sum(result.closing.values()) == sum(opening.values())
    subsets = [s for n in range(len(rows) + 1) for s in combinations(rows, n) if ends_well(opening, s)]
    best = max(subsets, key=lambda s: (sum(p.amount for p in s), len(s)))
    optimal, rule, fifo = (results[r] for r in (Rule.OPTIMAL, Rule.BECH_SORAMAKI, Rule.FIFO))
    assert optimal.value_settled == sum(p.amount for p in best)
    assert len(optimal.settled) == len(best)
    in_order = [s for s in subsets if keeps_order(rows, s)]
    assert rule.value_settled == max(sum(p.amount for p in s) for s in in_order)
    assert keeps_order(rows, rule.settled)
    assert {p.payment_id for p in fifo.settled} <= {p.payment_id for p in rule.settled}


def keeps_order(rows, chosen) -> bool:
    """Of each payer a first part of its payments."""
    for name in "ABCD":
        own = [p for p in rows if p.payer == name]
        count = sum(p.payer == name for p in chosen)
        if list(own[:count]) != [p for p in chosen if p.payer == name]:
            return False
    return True


def run(capsys, path, *options: str) -> str:
    app = typer.Typer()
    netting.register(app)
    app.command("other")(lambda: None)
    with pytest.raises(SystemExit) as ended:
        app(["netting", str(path), *options], standalone_mode=True)
    assert ended.value.code == 0
    return capsys.readouterr().out


def write(tmp_path, content) -> object:
    path = tmp_path / "queue.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


DOCUMENT = {"opening": {"A": 3}, "queue": [{"id": "T1", "payer": "A", "payee": "B", "amount": 5}]}


def test_the_command_prints_the_result_as_json(tmp_path, capsys):
    document = {"opening": {"A": 5.5}, "queue": DOCUMENT["queue"]}

    printed = json.loads(run(capsys, write(tmp_path, document), "--rule", "fifo", "--json"))

    assert printed == {"settled": ["T1"], "closing": {"A": 0.5, "B": 5}, "value_settled": 5}


def test_the_command_prints_amounts_exactly(tmp_path, capsys):
    """More digits than a float has, and a sum that a float gets wrong."""
    text = (
        '{"opening": {"A": 0.1, "B": 12345678901234567890.000001, "C": 2e3}, "queue": ['
        '{"id": "T1", "payer": "B", "payee": "A", "amount": 0.2}]}'
    )

    printed = run(capsys, write(tmp_path, text), "--json")

    assert printed == (
        '{"settled": ["T1"], "closing": {"A": 0.3, "B": 12345678901234567889.800001, "C": 2000},'
        ' "value_settled": 0.2}\n'
    )


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('{"opening": {"A": 1e31}, "queue": []}', "opening.A"),
        ('{"opening": {"A": 1e-31}, "queue": []}', "opening.A"),
        ('{"opening": {"A": 1e999999999}, "queue": []}', "opening.A"),
        ('{"opening": {"A": NaN}, "queue": []}', "opening.A"),
        ("not json", ""),
        ("[" * 2_000 + "]" * 2_000, ""),
        ("9" * 5_000, ""),
        ([], ""),
        ({"opening": {}}, ""),
        ({**DOCUMENT, "extra": 1}, ""),
        ({**DOCUMENT, "opening": {"A": -1}}, "opening.A"),
        ({**DOCUMENT, "opening": {"A": "3"}}, "opening.A"),
        ({**DOCUMENT, "queue": [{"id": "T1"}]}, "queue.0"),
        ({**DOCUMENT, "queue": [{**DOCUMENT["queue"][0], "amount": 0}]}, "queue.0.amount"),
        ({**DOCUMENT, "queue": [{**DOCUMENT["queue"][0], "amount": -5}]}, "queue.0.amount"),
        ({**DOCUMENT, "queue": [{**DOCUMENT["queue"][0], "amount": True}]}, "queue.0.amount"),
        ({**DOCUMENT, "queue": [{**DOCUMENT["queue"][0], "payee": "A"}]}, "queue.0"),
        ({**DOCUMENT, "queue": [{**DOCUMENT["queue"][0], "id": 7}]}, "queue.0.id"),
        ({**DOCUMENT, "queue": DOCUMENT["queue"] * 2}, "queue"),
    ],
)
def test_a_faulty_queue_is_one_error_with_its_key(tmp_path, content, key):
    path = write(tmp_path, content)

    with pytest.raises(InputError) as caught:
        netting._read(path)

    assert caught.value.where == str(path)
    assert caught.value.key == key
    assert caught.value.exit_code == 2
