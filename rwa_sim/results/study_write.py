"""The output folder of a study: page, JSON, metrics of every seed as CSV and Parquet, manifest, all or nothing."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rwa_sim import __version__
from rwa_sim.files import file_replaced_when_done, folder_replaced_when_done
from rwa_sim.results.costs import PARTS
from rwa_sim.results.study_page import StudyReport, render_study
from rwa_sim.study.result import StudyResult

PINNED = ("duckdb", "numpy", "plotly", "pydantic", "QuantLib")
METRIC_COLUMNS = ("seed_number", "world", "metric", "number", "unit", "value", "evidence")


def write_study(report: StudyReport, out: Path, *, trades: bool = False) -> None:
    """Write the folder aside, then put it in place; a failure leaves the previous one whole.

    With `trades` the first seed is settled once more and written trade by trade.
    """
    with folder_replaced_when_done(out) as folder:
        _write_json(folder / "study.json", study_json(report))
        _write_json(folder / "manifest.json", _manifest(report.result))
        with (folder / "metrics.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(METRIC_COLUMNS)
            writer.writerows(_metric_rows(report.result))
        to_parquet(folder / "metrics.csv", folder / "metrics.parquet")
        (folder / "report.html").write_text(render_study(report), "utf-8")
        if trades:
            from rwa_sim.results.study_trades import write_trades

            write_trades(report.result.loaded, folder)


def study_json(report: StudyReport) -> dict[str, Any]:
    """The content of `study.json`, and of `--json`."""
    result = report.result
    study = result.loaded.study
    return {
        "schema": "rwa-sim/study-result/1",
        "study": study.name,
        "seed": study.seed,
        "seeds": len(result.seeds),
        "reference": study.reference,
        "checked": report.checked,
        "worlds": {
            world: {metric.key: asdict(result.band(world, metric.key)) for metric in result.metrics}
            for world in result.worlds
        },
        "costs_bp": {world: {part: result.cost_bp(world, part) for part in PARTS} for world in result.worlds},
        "facts": {world: _facts(result, world) for world in result.worlds},
        "definitions": {
            metric.key: {
                "number": metric.number,
                "label": metric.label,
                "unit": metric.unit,
                "definition": metric.definition,
            }
            for metric in result.metrics
        },
        "claims": [asdict(claim) for claim in report.claims],
        "speed": [asdict(ratio) | {"times": ratio.times} for ratio in report.ratios],
        "gains_and_losses": [asdict(loss) for loss in report.losses],
        "sensitivity": [asdict(bar) for bar in report.bars],
        "frontier": [_numbers(asdict(point)) for point in report.points],
        "netting": [asdict(row) for row in report.netting],
        "queue": [asdict(point) for point in report.queue],
        "gridlock": [asdict(gap) for gap in report.gaps],
    }


def evidence(result: StudyResult, world: str) -> str:
    """The marks of the parameters behind a world's figures, such as 'A K R'."""
    return " ".join(sorted({mark for _, _, mark, _ in result.assumptions[world]}))


def to_parquet(source: Path, target: Path) -> None:
    """A CSV file with a header as Parquet.

    Raises:
        OutputUnwritable: the system refused; what `target` was it still is.
    """
    import duckdb

    with file_replaced_when_done(target) as aside, duckdb.connect() as connection:
        rows = connection.read_csv(str(source), header=True)
        rows.write_parquet(str(aside))


def _metric_rows(result: StudyResult) -> Iterator[tuple[Any, ...]]:
    marks = {world: evidence(result, world) for world in result.worlds}
    for number, seed in enumerate(result.seeds, start=1):
        for world in result.worlds:
            for metric in result.metrics:
                value = seed.metrics[world][metric.key]
                yield number, world, metric.key, metric.number, metric.unit, value, marks[world]


def _facts(result: StudyResult, world: str) -> dict[str, Any]:
    return {
        key: float(value) if key.endswith(("_bp", "_bp_pa")) else value
        for key, value in asdict(result.facts[world]).items()
    }


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Exact fractions as the nearest decimals that JSON can carry."""
    return {
        key: round(float(value), 6) if isinstance(value, Fraction) else value for key, value in row.items()
    }


def _manifest(result: StudyResult) -> dict[str, Any]:
    study = result.loaded.study
    return {
        "schema": "rwa-sim/manifest/1",
        "study": study.name,
        "study_sha256": result.loaded.sha256,
        "seed": study.seed,
        "seeds": len(result.seeds),
        "versions": {
            "rwa-sim": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PINNED},
        },
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
