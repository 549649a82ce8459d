"""Prints the tables of metrics, scenario, study and gas in `docs` from what they describe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rwa_sim.results.metrics import METRICS
from rwa_sim.scenario import Scenario
from rwa_sim.study.document import Study


def metrics_table() -> str:
    rows = ["| no. | metric | unit | definition |", "|---|---|---|---|"]
    rows += [f"| {m.number} | `{m.key}` {m.label} | {m.unit} | {m.definition} |" for m in METRICS]
    return "\n".join(rows)


def scenario_table() -> str:
    return _keys_of(Scenario)


def study_table() -> str:
    return _keys_of(Study)


def _keys_of(document: type[BaseModel]) -> str:
    rows = ["| key | default |", "|---|---|"]
    for name, field in document.model_fields.items():
        section, many = _section(field.annotation)
        if section is None:
            rows.append(f"| `{field.alias or name}` | {_default(field)} |")
            continue
        shown = f"[[{field.alias or name}]]" if many else f"[{field.alias or name}]"
        rows.append(f"| **{shown}** {' '.join((section.__doc__ or '').split())} | |")
        rows += [f"| `{key}` | {_default(part)} |" for key, part in section.model_fields.items()]
    return "\n".join(rows)


GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
# operation in words, file, key, budget (None: reported only)
GAS_ROWS: tuple[tuple[str, str, str, int | None], ...] = (
    ("bond transfer to a holder", "gas_budgets", "transfer, existing", 45_000),
    ("to a registered wallet without units", "gas_budgets", "transfer, new", 62_000),
    ("to a wallet never seen, no registry", "gas_budgets", "transfer, new, wallet never seen", 62_000),
    (
        "first after a record date, both owe their past",
        "gas_budgets",
        "transfer, first after a record date, existing",
        120_000,
    ),
    (
        "first after a record date, to a wallet without units",
        "gas_budgets",
        "transfer, first after a record date, new",
        150_000,
    ),
    ("DvP, two signatures", "gas_dvp_one", "settle", 115_000),
    ("DvP, a trade in a batch of 50, same pair", "gas_dvp_many", "batch, same pair", 52_000),
    ("DvP, a trade in a batch of 50, all pairs distinct", "gas_dvp_many", "batch, distinct", 80_000),
    ("netting cycle, each of 50 instructions, 10 participants", "gas_dvp_many", "netted", 25_000),
    ("the same with the matching", "gas_dvp_many", "netted, with matching", None),
    ("netting cycle, each of 50 dropped", "gas_model", "netted, dropped", None),
    ("DvP refused, seller short of units", "gas_model", "settle, seller short", None),
    ("DvP refused, buyer short of cash", "gas_model", "settle, buyer short", None),
    ("units held and released, two transactions", "gas_model", "hold and release", None),
    (
        "coupon declared and funded, 10 holders or 600",
        "gas_budgets",
        "declare and fund, second coupon",
        140_000,
    ),
    ("`claimMany`, each of 200, second coupon", "gas_budgets", "claim of 200, second coupon, each", 21_000),
    ("`claimMany`, each of 200, first coupon", "gas_budgets", "claim of 200, first coupon, each", None),
    ("oracle report, 3 of 5 signers", "gas_budgets", "report, 3 of 5", 81_000),
    ("each further signature", "gas_budgets", "report, each further signature", 9_000),
)


def gas_table() -> str:
    rows = ["| operation | gas | budget | |", "|---|---|---|---|"]
    for words, name, key, budget in GAS_ROWS:
        gas = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))[key]
        verdict = "" if budget is None else "met" if gas <= budget else "missed"
        aim = "" if budget is None else f"{budget:,}"
        rows.append(f"| {words} | {gas:,} | {aim} | {verdict} |")
    return "\n".join(rows)


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section a field holds, and whether it is a list of them."""
    inner = next(iter(get_args(annotation)), None)
    for candidate, many in ((annotation, False), (inner, True)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate, many and type(None) not in get_args(annotation)
    return None, False


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if isinstance(value, BaseModel):
        value = value.model_dump()
    return f"`{value}`" if not isinstance(value, str) else f'`"{value}"`'


TABLES = {"metrics": metrics_table, "scenario": scenario_table, "study": study_table, "gas": gas_table}

if __name__ == "__main__":
    print(TABLES[sys.argv[1]]())
