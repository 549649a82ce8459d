"""Prints the tables of `docs/metrics.md` and `docs/scenario.md` from the code they describe."""

from __future__ import annotations

import sys
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rwa_sim.results.metrics import METRICS
from rwa_sim.scenario import Scenario


def metrics_table() -> str:
    rows = ["| metric | unit | definition |", "|---|---|---|"]
    rows += [f"| `{m.key}` {m.label} | {m.unit} | {m.definition} |" for m in METRICS]
    return "\n".join(rows)


def scenario_table() -> str:
    rows = ["| key | default |", "|---|---|"]
    for name, field in Scenario.model_fields.items():
        section, many = _section(field.annotation)
        if section is None:
            rows.append(f"| `{field.alias or name}` | {_default(field)} |")
            continue
        shown = f"[[{field.alias or name}]]" if many else f"[{field.alias or name}]"
        rows.append(f"| **{shown}** {' '.join((section.__doc__ or '').split())} | |")
        rows += [f"| `{key}` | {_default(part)} |" for key, part in section.model_fields.items()]
    return "\n".join(rows)


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section a field holds, and whether it is a list of them."""
    inner = next(iter(get_args(annotation)), None)
    for candidate, many in ((annotation, False), (inner, True)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate, many
    return None, False


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    return f"`{value}`" if not isinstance(value, str) else f'`"{value}"`'


TABLES = {"metrics": metrics_table, "scenario": scenario_table}

if __name__ == "__main__":
    print(TABLES[sys.argv[1]]())
