"""load_scenario

load_scenario
├── given the shipped scenarios       accepts each
├── given a seed                      replaces the file's
├── given no such file or name        DataMissing, names what is known
├── given no TOML                     InputError
└── given one faulty key              InputError that names file, key and what was expected
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rwa_sim.errors import DataMissing, InputError
from rwa_sim.scenario import built_in_names, load_scenario

DEMO = Path(__file__).parents[2] / "scenarios" / "solar_demo.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = DEMO.read_text("utf-8")
    assert old in text, f"the demo scenario no longer says {old!r}"
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def test_every_shipped_scenario_is_accepted():
    names = built_in_names()

    assert {"solar_demo", "solar_nrel"} <= set(names)
    for name in names:
        assert load_scenario(name).scenario.name == name


def test_a_given_seed_replaces_the_files():
    assert load_scenario("solar_demo", seed=99).scenario.seed == 99


def test_boundaries_are_calendar_months_and_end_at_maturity():
    bond = load_scenario("solar_demo").scenario.bond

    assert len(bond.boundaries_s) == bond.periods + 1
    assert bond.boundaries_s[0] == int(bond.issue.timestamp())
    assert bond.boundaries_s[1] - bond.boundaries_s[0] == 31 * 86_400


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DataMissing, match=r"no_such_scenario.*|solar_demo"):
        load_scenario("no_such_scenario")


def test_a_missing_data_file_is_refused_with_the_places_looked_in(tmp_path):
    path = changed(tmp_path, "data/plant_1mwp.csv", "data/nowhere.csv")

    with pytest.raises(DataMissing, match=r"source\.file.*nowhere\.csv"):
        load_scenario(str(path)).data_file()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a = = 1", b"schema = 'rwa-sim/1"])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"broken\.toml: expected a TOML document"):
        load_scenario(str(path))


def test_an_oversized_file_is_refused(tmp_path):
    path = tmp_path / "huge.toml"
    path.write_bytes(b"# " + b"x" * 1_000_001)

    with pytest.raises(InputError, match="at most 1000000 bytes"):
        load_scenario(str(path))


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ('schema = "rwa-sim/1"', 'schema = "rwa-sim/9"', "schema", "rwa-sim/1"),
        ("seed = 20261120", "seed = -1", "seed", "greater than or equal to 0"),
        ("seed = 20261120", 'seed = "1"', "seed", "integer"),
        ("units = 3000", "unitz = 3000", "class.0.", "no such key|this key"),
        ("[market]", "[markets]", "market", "no such key|this key"),
        ("units = 3000", "units = 0", "class.0.units", "greater than 0"),
        ("units = 3000", "units = 40.5", "class.0.units", "integer"),
        ('face_usd = "100"', "face_usd = 100", "class.0.face_usd", "a decimal number in quotes"),
        ('face_usd = "100"', 'face_usd = "NaN"', "class.0.face_usd", "finite"),
        ('face_usd = "100"', 'face_usd = "0"', "class.0", "original|above 0|1 to"),
        ('face_usd = "100"', 'face_usd = "-5"', "class.0.face_usd", "greater than or equal to 0"),
        ('face_usd = "100"', 'face_usd = "0.0000001"', "class.0.face_usd", "6 decimal places"),
        ('rate = "0.05"', 'rate = "5"', "class.0.rate", r"from 0 to 1 in quotes \(5 % is"),
        ('rate = "0.05"', 'rate = "1e-x"', "class.0.rate", "decimal number in quotes"),
        ('default_rate = "0.07"', 'day_count = "30/999"', "class.0.day_count", "one of"),
        ('classes = ["A"]', 'classes = ["Z"]', "step.2.classes", "one of A, B"),
        ('kind = "residual"', 'kind = "leftover"', "step.7.kind", "residual"),
        ('payee = "trustee"', 'payee = ""', "step.1", "payee|account"),
        ("issue = 2021-01-01T00:00:00Z", "issue = 2021-01-15T00:00:00Z", "bond", "first day of a month"),
        ("issue = 2021-01-01T00:00:00Z", "issue = 2021-01-01T00:00:00", "bond", "in UTC"),
        ("issue = 2021-01-01T00:00:00Z", "issue = 2021-01-01T00:00:00+02:00", "bond", "in UTC"),
        ("issue = 2021-01-01T00:00:00Z", "issue = 2099-01-01T00:00:00Z", "bond", "maturity before 2100"),
        ("issue = 2021-01-01T00:00:00Z", 'issue = "2021-13-01"', "bond.issue", "datetime"),
        ("period_months = 1", "period_months = 2", "bond.period_months", "1, 3, 6 or 12"),
        ('unit = "Wh"', 'unit = "MW"', "source.unit", "'W', 'kW', 'Wh', 'kWh' or 'MWh'"),
        ("nameplate_w = 1_000_000", "nameplate_w = 0", "asset.nameplate_w", "greater than 0"),
        ('trigger = "energy"', 'trigger = "mood"', "waterfall.trigger", "'energy', 'credit' or 'schedule'"),
        ("threshold_kwh = 90_000", 'threshold_usd = "5"', "waterfall", "threshold_kwh. above zero"),
        (
            'trigger = "energy"',
            'trigger = "schedule"',
            "waterfall",
            "no key .threshold_kwh. for trigger .schedule.",
        ),
        ("quorum = 3", "quorum = 1", "oracle", "quorum. from 2 to 4"),
        ("fault_tolerance = 1", "fault_tolerance = 2", "oracle", "nodes. above 3 x fault_tolerance"),
        ("participants = 12", "participants = 1", "market.participants", "greater than or equal to 2"),
        ("trades = 300", "trades = 1_000_000", "market.trades", "less than or equal to 100000"),
        ('profiles = ["EU-T2-T2S", "legacy-T3"]', "profiles = []", "conventional.profiles", "at least 1"),
    ],
)
def test_one_faulty_key_gives_one_line_with_file_key_and_expectation(tmp_path, old, new, key, expected):
    path = changed(tmp_path, old, new)

    with pytest.raises(InputError) as caught:
        load_scenario(str(path))

    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert key in f"{caught.value.where}: {caught.value.key}"
    assert re.search(expected, line), line
