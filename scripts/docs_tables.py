"""Prints the tables of `docs/metrics.md` and `docs/scenario.md` from the code they describe."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rwa_sim.results.metrics import METRICS
from rwa_sim.scenario import Scenario


def metrics_table() -> str:
    rows = ["| metric | unit | definition |", "|---|---|---|"]
    rows += [f"| `{m.key}` {m.label} | {m.unit} | {m.definition} |" for m in METRICS]
    return "\n".join(rows)


def scenario_table() -> str:
    rows = ["| key | default | what |", "|---|---|---|"]
    for name, field in Scenario.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            purpose = " ".join((section.__doc__ or "").split())
            rows.append(f"| **[{name}]** | | {purpose} |")
            rows += [f"| `{name}.{key}` | {_default(part)} | |" for key, part in section.model_fields.items()]
        else:
            rows.append(f"| `{field.alias or name}` | {_default(field)} | |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    return f"`{value}`" if not isinstance(value, str) else f'`"{value}"`'


TABLES = {"metrics": metrics_table, "scenario": scenario_table}

if __name__ == "__main__":
    print(TABLES[sys.argv[1]]())
