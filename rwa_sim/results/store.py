"""The tables of a run in one DuckDB file: `run.duckdb`."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rwa_sim.simulation import RunResult

TRACE_SQL = Path(__file__).with_name("trace.sql")
TABLES: dict[str, str] = {
    "trades": (
        "trade_id TEXT, executed_at_s BIGINT, instrument TEXT, seller TEXT, buyer TEXT, units BIGINT,"
        " cash_usd6 BIGINT"
    ),
    "settlements": (
        "rail TEXT, profile TEXT, trade_id TEXT, status TEXT, executed_at_s BIGINT, intended_at_s BIGINT,"
        " finalized_at_s BIGINT, ended_at_s BIGINT, units BIGINT, cash_usd6 BIGINT, attempts INTEGER,"
        " late_business_days INTEGER, fail_reason TEXT, principal_exposure_usd6_s HUGEINT, prefunded_s BIGINT,"
        " fee_usd6 BIGINT, penalty_usd6 BIGINT, buy_in_usd6 BIGINT, gas BIGINT, pieces INTEGER"
    ),
    "readings": (
        "period_id BIGINT, meter_id TEXT, obis TEXT, seq BIGINT, read_at_s BIGINT, register_wh BIGINT,"
        " quality TEXT, raw TEXT, signature TEXT, leaf TEXT"
    ),
    "credits": "period_id BIGINT, booked_at_s BIGINT, amount_usd6 BIGINT, energy_wh BIGINT",
    "reports": (
        "period_id BIGINT, period_start_s BIGINT, period_end_s BIGINT, observed_at_s BIGINT,"
        " final_at_s BIGINT, register_wh BIGINT, credited_usd6 BIGINT, completeness_bps INTEGER,"
        " readings_root TEXT, digest TEXT,"
        " config_digest TEXT, signature_count INTEGER, signatures TEXT, tx_hash TEXT, gas BIGINT"
    ),
    "allocations": (
        "distribution_id BIGINT, first_period_id BIGINT, last_period_id BIGINT, at_s BIGINT,"
        " available_usd6 BIGINT, reserve_in_usd6 BIGINT, reserve_out_usd6 BIGINT, left_usd6 BIGINT,"
        " breached BOOLEAN"
    ),
    "allocation_steps": (
        "distribution_id BIGINT, step INTEGER, kind TEXT, payee TEXT, classes TEXT, paid_usd6 BIGINT"
    ),
    "class_payments": (
        "distribution_id BIGINT, instrument TEXT, coupon_id BIGINT, interest_due_usd6 BIGINT,"
        " interest_paid_usd6 BIGINT, arrears_paid_usd6 BIGINT, principal_paid_usd6 BIGINT"
    ),
    "coupons": (
        "rail TEXT, profile TEXT, instrument TEXT, coupon_id BIGINT, period_id BIGINT, period_start_s BIGINT,"
        " period_end_s BIGINT, credited_at_s BIGINT, determined_at_s BIGINT, record_at_s BIGINT, paid_at_s BIGINT,"
        " spendable_at_s BIGINT, due_usd6 BIGINT, interest_usd6 BIGINT, principal_usd6 BIGINT,"
        " arrears_paid_usd6 BIGINT, paid_usd6 BIGINT, parked_usd6 BIGINT, float_income_usd6 BIGINT,"
        " manual_touches INTEGER, corrections INTEGER, gas BIGINT"
    ),
    "payments": (
        "distribution_id BIGINT, instrument TEXT, kind TEXT, coupon_id BIGINT, holder TEXT,"
        " units BIGINT, amount_usd6 BIGINT, status TEXT, paid_at_s BIGINT"
    ),
    "assumptions": "profile TEXT, key TEXT, value TEXT, mark TEXT, source TEXT",
}


def write_store(result: RunResult, path: Path) -> None:
    """Write every table of a run to a new DuckDB file."""
    import duckdb

    rows = _rows(result)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, duckdb.connect(str(path)) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
            # DuckDB takes a CSV a hundred times faster than rows one by one
            source = Path(folder) / f"{table}.csv"
            if _write_csv(source, rows[table]):
                connection.execute(
                    f"COPY {table} FROM '{source}' (HEADER false, NULLSTR '\\N', DELIMITER ',')"
                )


def trace_payments(path: Path) -> list[tuple[Any, ...]]:
    """Run the documented trace query on a run's file."""
    import duckdb

    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(TRACE_SQL.read_text("utf-8")).fetchall()


def _rows(result: RunResult) -> dict[str, Iterable[Sequence[Any]]]:
    rail = result.rail
    return {
        "trades": map(_values, result.tape),
        "settlements": map(_values, result.settlements),
        "readings": _readings(result),
        "credits": map(_values, result.credits),
        "reports": _reports(result),
        "allocations": (
            (
                a.distribution_id,
                a.first_period_id,
                a.last_period_id,
                a.at_s,
                a.distribution.available_usd6,
                a.distribution.reserve_in_usd6,
                a.distribution.reserve_out_usd6,
                a.distribution.left_usd6,
                a.distribution.breached,
            )
            for a in rail.allocations
        ),
        "allocation_steps": _steps(result),
        "class_payments": (
            (a.distribution_id, terms.name, coupon_id, *_values(payment))
            for a in rail.allocations
            for terms, coupon_id, payment in zip(
                result.loaded.waterfall.classes, a.coupon_ids, a.distribution.classes, strict=True
            )
        ),
        "coupons": map(_values, result.coupons),
        "payments": map(_values, rail.payments),
        "assumptions": ((profile.name, *row) for profile in result.profiles for row in profile.assumptions()),
    }


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, field.name) for field in fields(record))


def _steps(result: RunResult) -> Iterator[Sequence[Any]]:
    terms = result.loaded.waterfall
    for row in result.rail.allocations:
        for number, (step, paid_usd6) in enumerate(
            zip(terms.steps, row.distribution.step_paid_usd6, strict=True), start=1
        ):
            names = " ".join(terms.classes[index].name for index in step.classes)
            yield (row.distribution_id, number, step.kind, step.payee, names, paid_usd6)


def _readings(result: RunResult) -> Iterator[Sequence[Any]]:
    for m in result.metered.readings:
        period_id = result.schedule.id_at(m.read_at_s - 1)
        yield (
            period_id,
            m.meter_id,
            m.obis,
            m.seq,
            m.read_at_s,
            m.register_wh,
            m.quality,
            m.raw.decode("utf-8"),
            _hex(m.signature),
            _hex(m.leaf),
        )


def _reports(result: RunResult) -> Iterator[Sequence[Any]]:
    for row in result.rail.reports:
        report = row.signed.report
        yield (
            report.period_id,
            report.period_start,
            report.period_end,
            report.observed_at,
            row.final_at_s,
            report.register_wh,
            report.cumulative_credited_usd6,
            report.completeness_bps,
            _hex(report.readings_root),
            row.digest,
            _hex(report.config_digest),
            len(row.signed.signatures),
            " ".join(map(_hex, row.signed.signatures)),
            row.tx_hash,
            row.gas,
        )


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        for row in rows:
            writer.writerow([r"\N" if value is None else str(value) for value in row])
            count += 1
    return count


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
