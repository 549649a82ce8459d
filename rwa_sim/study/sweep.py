"""Sweeps: one study or scenario run for every combination of some values, resumable cell by cell.

    FILE + grid ──cells──► tasks ──run_sweep──► cells.jsonl, sweep.csv, sweep.parquet

A cell is named by its values, the file's bytes and, of a scenario, the engine, whose gas may be an estimate. A cell
whose line is in `cells.jsonl` is not run again, so an interrupted sweep goes on where it stopped, and running it twice
changes nothing.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rwa_sim.engines import EngineName, open_engine, require_own_chain
from rwa_sim.errors import InputError
from rwa_sim.files import append_line, write_text_atomically
from rwa_sim.results.metrics import Value
from rwa_sim.scenario import LoadedScenario, load_scenario
from rwa_sim.study.cluster import on_cluster
from rwa_sim.study.document import LoadedStudy, load_study
from rwa_sim.study.runner import Progress, run_study
from rwa_sim.study.workers import workers
from rwa_sim.study.worlds import load_worlds

MAX_CELLS = 100_000
CELLS, TABLE = "cells.jsonl", "sweep.csv"
STUDY, SCENARIO = "rwa-sim/study/1", "rwa-sim/1"

Worlds = Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One key with the values it takes."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination: its name, its values by key, the file it changes, and the engine of a scenario's contracts."""

    name: str
    file: str
    schema: str
    values: tuple[tuple[str, Any], ...]
    engine: EngineName | None

    @property
    def gas_is_estimate(self) -> bool:
        """Whether its figures of gas are not the protocol's."""
        return self.engine is EngineName.REVM


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """Metrics by world of one cell; of a study, the medians over its seeds."""

    cell: Cell
    worlds: Worlds

    def to_json(self) -> dict[str, Any]:
        """Values of the cell, the engine if contracts ran, and every metric by world."""
        engine = {} if self.cell.engine is None else {"engine": self.cell.engine.value}
        return {"values": dict(self.cell.values), **engine, "worlds": self.worlds}


def parse_axis(text: str) -> Axis:
    """`market.cash_days=0.5,1,2` as an axis; the values are text until a file says what it takes.

    Raises:
        InputError: no `key=value,value`.
    """
    key, equals, values = text.partition("=")
    parts = [part.strip() for part in values.split(",")]
    if not key.strip() or not equals or not all(parts):
        raise InputError(where="sweep", key="--grid", expected="key=value,value,...", got=repr(text))
    return Axis(key=key.strip(), values=tuple(parts))


def make_cells(file: Path, axes: Sequence[Axis], engine: EngineName | None = None) -> list[Cell]:
    """Every combination, the last axis turning fastest.

    Args:
        file: a study or a scenario.
        axes: what varies.
        engine: of a scenario's contracts; `tester` if None. A study has none.

    Raises:
        InputError: an axis twice, too many cells, a file that is neither study nor scenario, a value that it
            does not take, or an engine that it does not run on.
    """
    keys = [axis.key for axis in axes]
    if len(set(keys)) != len(keys):
        raise InputError(where="sweep", key="--grid", expected="each key once", got=", ".join(keys))
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MAX_CELLS:
        raise InputError(where="sweep", key="--grid", expected=f"at most {MAX_CELLS} cells", got=str(count))
    raw = file.read_bytes()
    schema = _schema(raw, file)
    chosen = _engine_for(schema, engine)
    cells = []
    fitting = [[_fitting(file, schema, axis.key, text) for text in axis.values] for axis in axes]
    for values in itertools.product(*fitting):
        named = tuple(zip(keys, values, strict=True))
        digest = hashlib.sha256(raw + repr(named).encode() + (chosen or "").encode()).hexdigest()[:16]
        cells.append(Cell(name=digest, file=str(file.absolute()), schema=schema, values=named, engine=chosen))
    return cells


def run_cell(cell: Cell) -> CellResult:
    """Run one cell in this process.

    Raises:
        InputError: a value that the file does not take; names file and key.
        ResultFailed: the scenario's own checks do not hold.
    """
    loaded = _load(cell.file, cell.schema, dict(cell.values))
    if isinstance(loaded, LoadedStudy):
        result = run_study(loaded, processes=1)
        worlds = {
            world: {metric.key: result.middle(world, metric.key) for metric in result.metrics}
            for world in result.worlds
        }
        return CellResult(cell=cell, worlds=worlds)
    return CellResult(cell=cell, worlds=_run_scenario(loaded, cell.engine or EngineName.TESTER))


def _run_scenario(loaded: LoadedScenario, name: EngineName) -> Worlds:
    from rwa_sim.results.write import compute_results
    from rwa_sim.simulation import run

    with open_engine(name, loaded.scenario.seed) as engine:
        return compute_results(run(loaded, engine)).metrics


def run_sweep(
    cells: Sequence[Cell],
    out: Path,
    progress: Progress = lambda stage, done, total: None,
    processes: int | None = None,
    scheduler: str | None = None,
) -> list[CellResult]:
    """Run the cells that `out` does not hold yet, append each as it ends, and write the table.

    Args:
        cells: all cells of the sweep, in order.
        out: folder of the sweep; made if it is not there.
        progress: told after each cell.
        processes: worker processes; one for each core if None.
        scheduler: address of a Dask cluster to run on in their place.

    Raises:
        ClusterUnreachable: the cluster does not answer, or lost all its workers.
        InputError: the folder holds another sweep, or a cell cannot be run.
        OutputUnwritable: the disk is full; the cells that were written stay.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = _read_done(out / CELLS, {cell.name: cell for cell in cells})
    missing = [cell for cell in cells if cell.name not in done]
    progress("cells", len(done), len(cells))
    pool = on_cluster(scheduler) if scheduler and missing else workers(processes, in_order=False)
    with pool as run_all:
        for result in run_all(run_cell, missing):
            append_line(out / CELLS, _line(result))
            done[result.cell.name] = result
            progress("cells", len(done), len(cells))
    results = [done[cell.name] for cell in cells]
    if missing:  # they were appended as they ended
        write_text_atomically(out / CELLS, "".join(f"{_line(result)}\n" for result in results))
    write_text_atomically(out / TABLE, _table(results))
    return results


def _engine_for(schema: str, engine: EngineName | None) -> EngineName | None:
    if schema == STUDY:
        if engine is not None:
            raise InputError(where="sweep", key="--engine", expected="a scenario: a study runs no contracts")
        return None
    chosen = engine or EngineName.TESTER
    require_own_chain(chosen, "sweep", "a chain of its own for each cell")
    return chosen


def _schema(raw: bytes, file: Path) -> str:
    try:
        schema = tomllib.loads(raw.decode("utf-8")).get("schema")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(where=str(file), expected="a TOML document in UTF-8", got=str(error)) from None
    if schema not in (STUDY, SCENARIO):
        raise InputError(where=str(file), key="schema", expected=f"{STUDY} or {SCENARIO}", got=repr(schema))
    return str(schema)


def _fitting(file: Path, schema: str, key: str, text: str) -> Any:
    """What the file takes of a value: a number, a flag or a list as TOML reads it, else the text itself.

    Raises:
        InputError: it takes neither.
    """
    try:
        value = tomllib.loads(f"v = {text}")["v"]
        _load(str(file), schema, {key: value})
    except (tomllib.TOMLDecodeError, InputError):
        _load(str(file), schema, {key: text})
        return text
    return value


def _load(file: str, schema: str, changes: Mapping[str, Any]) -> LoadedStudy | LoadedScenario:
    if schema == STUDY:
        loaded = load_study(file, changes)
        load_worlds(loaded)
        return loaded
    return load_scenario(file, changes=changes)


def _line(result: CellResult) -> str:
    body = {"cell": result.cell.name, **result.to_json()}
    return json.dumps(body, separators=(",", ":"), default=str)


def _read_done(path: Path, cells: Mapping[str, Cell]) -> dict[str, CellResult]:
    """Cells already run; a last line that was cut off is dropped from the file and run again."""
    if not path.exists():
        return {}
    done, kept = {}, []
    for line in path.read_text("utf-8").splitlines():
        try:
            body = json.loads(line)
        except ValueError:
            continue
        if body["cell"] not in cells:
            raise InputError(
                where=str(path), expected="an empty folder, or this sweep's", got="cells of another sweep"
            )
        done[body["cell"]] = CellResult(cell=cells[body["cell"]], worlds=body["worlds"])
        kept.append(line)
    write_text_atomically(path, "".join(line + "\n" for line in kept))
    return done


def _table(results: Sequence[CellResult]) -> str:
    import io

    keys = [key for key, _ in results[0].cell.values]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["cell", *keys, "world", "metric", "value"])
    for row in _rows(results):
        writer.writerow(row)
    return stream.getvalue()


def _rows(results: Sequence[CellResult]) -> Iterator[list[Any]]:
    for result in results:
        for world, metrics in result.worlds.items():
            for key, value in metrics.items():
                yield [result.cell.name, *(v for _, v in result.cell.values), world, key, value]
