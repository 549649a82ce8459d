"""What a bench found as data: the document of `bench.json`, the table of `bench.md`, the line of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rwa_sim.bench.result import RowResult, Spread, Status
from rwa_sim.bench.row import Size

HEADS = ("row", "what", "unit", "min", "median", "max", "x base", "base", "target", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run: when (UTC, ISO 8601), of which commit, on what, and what came of each row."""

    at: str
    commit: str
    size: Size
    rounds: int
    machine: dict[str, Any]
    versions: dict[str, str]
    results: tuple[RowResult, ...]

    @property
    def failures(self) -> tuple[RowResult, ...]:
        """Rows whose own check does not hold."""
        return tuple(result for result in self.results if result.status is Status.FAILED)

    def to_json(self) -> dict[str, Any]:
        """The content of `bench.json`, and of `--json`."""
        return {"schema": "rwa-sim/bench/1", **self._head(), "rows": [_row_json(r) for r in self.results]}

    def to_log(self) -> dict[str, Any]:
        """The line of the log: of each row what is needed to follow it from run to run."""
        return {"schema": "rwa-sim/bench-line/1", **self._head(), "rows": dict(map(_row_line, self.results))}

    def _head(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "commit": self.commit,
            "size": self.size.value,
            "rounds": self.rounds,
            "machine": self.machine,
            "versions": self.versions,
        }

    def to_markdown(self) -> str:
        """Table, definitions, machine and versions."""
        lines = ["# Bench", "", self.summary(), "", _line(HEADS), _line(["---"] * len(HEADS))]
        lines += [_line(cells) for cells in map(row_cells, self.results)]
        lines += ["", *(f"- {r.row.title}: {r.row.definition}" for r in self.results)]
        for result in self.results:
            if result.profile:
                lines += ["", f"{result.row.title}, where the time goes:", "", "```", result.profile, "```"]
        lines += [
            "",
            *(f"- {name}: {value}" for name, value in [*machine_texts(self.machine), *self.versions.items()]),
        ]
        return "\n".join(lines) + "\n"

    def summary(self) -> str:
        """One line: what was run, and how to read it."""
        quick = " Quick run: small sizes, targets not judged." if self.size is Size.QUICK else ""
        return (
            f"{self.at}, commit {self.commit or 'unknown'}, {self.rounds} interleaved rounds. A ratio is the median "
            f"of the rounds' ratios, each to the base in the same round.{quick}"
        )


def row_cells(result: RowResult) -> tuple[str, ...]:
    """A row of the table under `HEADS`."""
    row = result.row
    verdict = {True: "met", False: "missed", None: ""}[result.met]
    values = ("", "", "")
    if result.spread is not None:
        values = (shown(result.spread.low), shown(result.spread.median), shown(result.spread.high))
    if result.status is not Status.MEASURED:
        verdict = f"{result.status}: {result.why}"
    return row.key, row.title, row.unit, *values, ratio_text(result.ratio), row.base, _target(result), verdict


def ratio_text(ratio: Spread | None) -> str:
    """Median with least and largest."""
    return "" if ratio is None else f"{shown(ratio.median)} ({shown(ratio.low)} to {shown(ratio.high)})"


def shown(value: float) -> str:
    """Three significant digits, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine_texts(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The machine as people read it."""
    memory = machine["memory_bytes"]
    return [
        ("cores", str(machine["cores"])),
        ("processor", machine["cpu"]),
        ("memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown"),
        ("system", machine["system"]),
        ("Python", machine["python"]),
        ("load before, 1 min", "unknown" if machine["load_1min"] is None else str(machine["load_1min"])),
    ]


def _target(result: RowResult) -> str:
    return result.row.target.text(result.row.unit) if result.row.target else ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _row_json(result: RowResult) -> dict[str, Any]:
    row = result.row
    return {
        "key": row.key,
        "title": row.title,
        "unit": row.unit,
        "definition": row.definition,
        "better": row.better.value,
        "base": row.base,
        "seed": row.seed,
        "target": _target(result),
        "met": result.met,
        "status": result.status.value,
        "why": result.why,
        "values": list(result.values),
        "value": asdict(result.spread) if result.spread else None,
        "ratios": list(result.ratios),
        "ratio": asdict(result.ratio) if result.ratio else None,
        "series": asdict(result.series) if result.series else None,
        "profile": result.profile,
    }


def _row_line(result: RowResult) -> tuple[str, dict[str, Any]]:
    if result.spread is None:
        return result.row.key, {"status": result.status.value, "why": result.why}
    return result.row.key, {
        "unit": result.row.unit,
        "seed": result.row.seed,
        **{name: float(f"{value:.5g}") for name, value in asdict(result.spread).items()},
        "ratio": float(f"{result.ratio.median:.5g}") if result.ratio else None,
        "met": result.met,
    }
