"""`rwa-sim waterfall`: deal files, their faults, and what is printed.

waterfall DEAL.toml
├── given the document's example     prints what docs/deal-files.md shows
├── given a servicer's certificate   reproduces it to the cent
├── given auto_abc                   a good month, a loss with a reserve draw, a cure under a breach
├── given [state]                    goes on from it
├── --json, --out                    the same, no digit rounded; --out alone also prints
└── given one fault                  one line naming file and key, exit code 2
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rwa_sim.cli import waterfall
from rwa_sim.deal_file import load_deal
from rwa_sim.domain.daycount import DAY_COUNT_NAMES
from rwa_sim.domain.tranches.checks import DAY_COUNTS
from rwa_sim.errors import InputError, RwaError

ROOT = Path(__file__).parents[2]
DEALS = ROOT / "scenarios" / "deals"
DOCUMENT = (ROOT / "docs" / "deal-files.md").read_text("utf-8")
EXAMPLE = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)[0]
PRINTED = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)[0]


def run(*args: str | Path):
    """The command in an application of its own."""
    app = typer.Typer()
    app.callback()(lambda: None)
    waterfall.register(app)
    return CliRunner().invoke(app, ["waterfall", *map(str, args)])


def periods(path: Path) -> list[dict]:
    done = run(path, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["periods"]


def steps_of(period: dict) -> dict[str, Decimal]:
    return {step["step"]: Decimal(step["paid_usd"]) for step in period["steps"]}


def write(folder: Path, text: str) -> Path:
    path = folder / "deal.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_documented_example_prints_what_the_document_shows(tmp_path):
    done = run(write(tmp_path, EXAMPLE))

    assert [line.rstrip() for line in done.stdout.strip().splitlines()] == PRINTED.strip().splitlines()


def test_the_document_lists_the_day_counts():
    assert set(DAY_COUNTS) <= set(DAY_COUNT_NAMES)
    assert all(f"{name}" in DOCUMENT for name in DAY_COUNTS)


def test_a_published_certificate_comes_out_to_the_cent():
    """BMW Vehicle Owner Trust 2019-A, January 2023; the file names the source."""
    (period,) = periods(DEALS / "bmw_2019_a_jan2023.toml")

    cents = {step: amount.quantize(Decimal("0.01")) for step, amount in steps_of(period).items()}
    assert cents["fee servicer"] == Decimal("89746.30")
    assert cents["advance servicer"] == Decimal("276.60")
    assert cents["interest A-4"] == Decimal("120367.87")
    assert cents["principal A-4"] == Decimal("10538755.93")
    assert period["classes"][0]["outstanding_usd"] == "63533780.050000"
    assert period["reserve_usd"] == "3205129.830000"
    assert period["period"] == 41


def test_auto_abc_shows_loss_reserve_arrears_and_breach():
    good, bad, cured = periods(DEALS / "auto_abc.toml")

    assert (good["breached"], bad["breached"], cured["breached"]) == (False, True, True)
    assert Decimal(good["steps"][-1]["paid_usd"]) > 0
    assert Decimal(bad["reserve_out_usd"]) > 0
    assert bad["events"] == [
        {"event": "written_down", "class": "C", "amount_usd": "100000.000000"},
        {"event": "oc_breached", "class": "", "amount_usd": "0.000000"},
    ]
    assert bad["classes"][2]["arrears_usd"] == cured["classes"][2]["arrears_paid_usd"] == "36750.000000"
    assert steps_of(cured)["residual sponsor"] == 0
    for period in (good, bad, cured):
        put_through = Decimal(period["available_usd"]) + Decimal(period["reserve_out_usd"])
        assert put_through == sum(steps_of(period).values()) + Decimal(period["left_usd"])


def test_a_deal_goes_on_from_its_opening_state(tmp_path):
    head, first, second = EXAMPLE.partition("[[period]]\nstart = 2026-01-01")
    state = """[state]
period = 1
reserve_usd = "10000"
fees_owed_usd = { servicer = "1" }

[[state.class]]
name = "A"
outstanding_usd = "1100000"
written_down_usd = "60000"
interest_owed_usd = "7"
arrears_usd = "7"
"""
    whole = periods(write(tmp_path, EXAMPLE))[1]
    rest = (first + second).split("[[period]]")[2]

    (alone,) = periods(write(tmp_path, head + state + "[[period]]" + rest))

    assert (alone["period"], alone["start"]) == (2, "2026-02-01")
    assert steps_of(alone)["fee servicer"] == steps_of(whole)["fee servicer"] + 1
    assert steps_of(alone)["interest A"] == steps_of(whole)["interest A"] + 7
    assert alone["classes"][0]["arrears_paid_usd"] == "7.000000"
    assert alone["classes"][0]["written_down_usd"] == "60000.000000"
    a = load_deal(tmp_path / "deal.toml").opening.classes[0]
    assert a.principal_paid_usd6 == (1_200_000 - 1_100_000 - 60_000) * 10**6


def test_out_writes_what_json_prints(tmp_path):
    deal, out = DEALS / "auto_abc.toml", tmp_path / "result.json"

    plain, printed = run(deal, "--out", out), run(deal, "--json")

    assert out.read_text("utf-8") == printed.stdout
    assert "period 7" in plain.stdout


def test_a_period_without_distribution_and_a_default_are_said(tmp_path):
    text = EXAMPLE.replace("maturity = 2027-01-01", 'maturity = 2027-01-01\nthreshold_usd = "6000"')
    done = run(write(tmp_path, text))
    assert "no distribution: the cash trigger is not met" in done.stdout

    text = EXAMPLE.replace(
        "maturity = 2027-01-01",
        "maturity = 2027-01-01\ncure_window_days = 20\naccelerate_on_default = true",
    ).replace('"120000"', '"100"')
    done = run(write(tmp_path, text))
    assert "period 2  2026-02-01 to 2026-03-01  ACCELERATED" in done.stdout
    assert "event: event_of_default" in done.stdout


def test_energy_is_a_trigger_too(tmp_path):
    text = EXAMPLE.replace(
        "maturity = 2027-01-01", 'maturity = 2027-01-01\ntrigger = "energy"\nthreshold_kwh = 2'
    )
    energy = text.replace('collections_usd = "5000"', 'collections_usd = "5000"\nenergy_kwh = "2"')

    waiting, distributed = periods(write(tmp_path, energy))

    assert (waiting["distributed"], distributed["distributed"]) == (False, True)
    assert distributed["available_usd"] == "125000.000000"


def test_by_schedule_every_period_distributes_whatever_came_in(tmp_path):
    text = EXAMPLE.replace("maturity = 2027-01-01", 'maturity = 2027-01-01\ntrigger = "schedule"')
    text = text.replace('"120000"', '"0"').replace('collections_usd = "5000"', 'collections_usd = "0"')

    assert [period["distributed"] for period in periods(write(tmp_path, text))] == [True, True]


def test_two_fees_of_one_payee_have_names_of_their_own(tmp_path):
    twice = '[[step]]\nkind = "fee"\npayee = "servicer"\nfixed_usd = "3"\n\n'
    text = EXAMPLE.replace("[[step]]", twice + "[[step]]", 1)

    (first, _) = periods(write(tmp_path, text))

    assert list(steps_of(first))[:2] == ["fee servicer", "fee servicer #2"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('schema = "rwa-deal/1"', 'schema = "rwa-deal/2"', "schema"),
        ('name = "Example"', 'name = "Example"\ncolour = "red"', "colour"),
        ("period_count = 12", "", "deal.period_count"),
        ("period_count = 12", "period_count = 0", "deal.period_count"),
        ("period_count = 12", "period_count = 12\nthreshold_usd = '0'", "deal.threshold_usd"),
        ("period_count = 12", "period_count = 12\ntrigger = 'energy'", "deal.threshold_kwh"),
        ("period_count = 12", "period_count = 12\ntrigger = 'hope'", "deal.trigger"),
        (
            "period_count = 12",
            "period_count = 12\naccelerate_on_default = true",
            "deal.accelerate_on_default",
        ),
        ("maturity = 2027-01-01", 'maturity = "soon"', "deal.maturity"),
        ('rate = "0.06"', 'rate = "6"', "class.0.rate"),
        ('rate = "0.06"', "rate = 0.06", "class.0.rate"),
        ('rate = "0.06"', 'rate = "nan"', "class.0.rate"),
        ('rate = "0.06"', 'rate = "six"', "class.0.rate"),
        ('rate = "0.08"', 'rate = "0.08"\nday_count = "lunar"', "class.1.day_count"),
        ('rate = "0.08"', 'rate = "0.08"\nday_count = "30/360.US"', "class.1.day_count"),
        ('original_usd = "300000"', 'original_usd = "0"', "class.1.original_usd"),
        ('original_usd = "300000"', 'original_usd = "0.0000001"', "class.1.original_usd"),
        (
            '[[class]]\nname = "B"',
            '[[class]]\nname = "A"\noriginal_usd = "1"\nrate = "0"\n\n[[class]]\nname = "B"',
            "class.1.name",
        ),
        ("principal_periods = 12", "principal_periods = 13", "class.0.principal_periods"),
        ('payee = "servicer"', 'payee = "serviver"', "step.0.payee"),
        ('payee = "servicer"', "", "step.0.payee"),
        ('rate = "0.004"', 'rate = "0.004"\nclasses = ["A"]', "step.0.classes"),
        ('rate = "0.004"', 'rate = "0.004"\nbps = 5', "step.0.bps"),
        ('kind = "fee"', 'kind = "bribe"', "step.0.kind"),
        ('classes = ["A"]\nreserve', 'classes = ["Z"]\nreserve', "step.1.classes"),
        ('classes = ["A", "B"]', 'classes = ["B", "A"]', "step.3.classes"),
        ('classes = ["A", "B"]', 'classes = ["A"]', "step"),
        ('kind = "reserve"', 'kind = "hedge"\npayee = "owner"', "step.4.fixed_usd"),
        ('collections_usd = "5000"', 'collections_usd = "-1"', "period.1.collections_usd"),
        ("start = 2026-02-01", "start = 2026-02-02", "period.1.start"),
        ("end = 2026-03-01", "end = 2026-02-01", "period.1.end"),
        (
            "[[period]]\nstart = 2026-01-01",
            "[state]\nfees_owed_usd = { owner = '1' }\n[[period]]\nstart = 2026-01-01",
            "state.fees_owed_usd.owner",
        ),
        (
            "[[period]]\nstart = 2026-01-01",
            "[[state.class]]\nname = 'A'\noutstanding_usd = '1200001'\n[[period]]\nstart = 2026-01-01",
            "state.class.0.outstanding_usd",
        ),
        (
            "[[period]]\nstart = 2026-01-01",
            "[[state.class]]\nname = 'A'\noutstanding_usd = '1'\narrears_usd = '1'\n[[period]]\nstart = 2026-01-01",
            "state.class.0.arrears_usd",
        ),
        (
            "[[period]]\nstart = 2026-01-01",
            "[[state.class]]\nname = 'Z'\noutstanding_usd = '1'\n[[period]]\nstart = 2026-01-01",
            "state.class.0.name",
        ),
        (
            "[[period]]\nstart = 2026-01-01",
            "[[state.class]]\nname = 'A'\noutstanding_usd = '1'\n" * 2 + "[[period]]\nstart = 2026-01-01",
            "state.class.1.name",
        ),
    ],
)
def test_one_fault_is_one_line_with_file_and_key(tmp_path, old, new, key):
    assert old in EXAMPLE
    path = write(tmp_path, EXAMPLE.replace(old, new, 1))

    with pytest.raises(InputError) as caught:
        load_deal(path)

    text = str(caught.value)
    assert str(path) in text
    assert key in text
    assert "\n" not in text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"#" * 1_000_001])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "deal.toml"
    path.write_bytes(content)

    with pytest.raises(InputError, match=re.escape(str(path))):
        load_deal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    fault = run(tmp_path / "none.toml").exception

    assert isinstance(fault, RwaError)
    assert fault.exit_code == 2
    assert "none.toml" in str(fault)
