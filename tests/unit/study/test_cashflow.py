"""A study's cash flow.

cash flow
├── asked for again         read once
├── scenario changed        read again
├── data changed            read again
└── readings                not signed, and the registers are those of a meter that signs
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from oracles.devices.meter import DeviceMeter
from rwa_sim.scenario import load_scenario
from rwa_sim.source import read_source, registers_at
from rwa_sim.study import cashflow
from rwa_sim.study.cashflow import cash_flow_of

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture
def scenario(tmp_path):
    """A copy of the demo scenario, its data beside it."""
    shutil.copytree(SCENARIOS / "data", tmp_path / "data")
    return Path(shutil.copy(SCENARIOS / "solar_demo.toml", tmp_path))


@pytest.fixture
def reads(monkeypatch):
    """How often a source was read."""
    counted = []
    read = cashflow.read_source
    monkeypatch.setattr(cashflow, "read_source", lambda *args: counted.append(1) or read(*args))
    return counted


def test_it_is_read_once(scenario, reads):
    assert cash_flow_of(str(scenario)) is cash_flow_of(str(scenario))
    assert len(reads) == 1


def test_it_is_read_again_when_the_scenario_has_changed(scenario, reads):
    before = cash_flow_of(str(scenario))
    text = scenario.read_text("utf-8")
    changed, count = re.subn(r'tariff_usd_per_kwh = "[^"]*"', 'tariff_usd_per_kwh = "1.00"', text)
    assert count == 1
    scenario.write_text(changed, "utf-8")

    after = cash_flow_of(str(scenario))

    assert len(reads) == 2
    assert after.credits[0].amount_usd6 == after.credits[0].energy_wh * 1_000
    assert after.credits[0].amount_usd6 != before.credits[0].amount_usd6


def test_it_is_read_again_when_its_data_have_changed(scenario, reads):
    before = cash_flow_of(str(scenario))
    data = load_scenario(str(scenario)).data_file()
    head, *lines = data.read_text("utf-8").splitlines()
    noon = next(number for number, line in enumerate(lines) if "12:00" in line)
    lines[noon] = lines[noon].rpartition(",")[0] + ",0"
    data.write_text("\n".join([head, *lines]) + "\n", "utf-8")

    after = cash_flow_of(str(scenario))

    assert len(reads) == 2
    assert sum(c.energy_wh for c in after.credits) < sum(c.energy_wh for c in before.credits)


def test_registers_are_those_of_a_meter_that_signs(scenario):
    loaded = load_scenario(str(scenario))
    signing = DeviceMeter((1).to_bytes(32, "big"), meter_id=loaded.scenario.asset.meter)
    readings = read_source(loaded, signing).readings

    assert any(readings[0].signature)
    registers_wh = registers_at(readings, loaded.scenario.bond.boundaries_s)
    assert [report.register_wh for report in cash_flow_of(str(scenario)).reports] == registers_wh[1:]
