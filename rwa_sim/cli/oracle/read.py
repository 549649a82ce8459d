"""`rwa-sim oracle read`: what a file of the outside world says, as the adapters understand it.

Totals, counts and everything odd; nothing is signed and nothing is written. The same code reads the file
for a scenario or a node, so what is shown here is what would be reported.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from oracles.adapters.local_table import TableFormat
    from oracles.adapters.tariffs import HourlySeries

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Zone = Annotated[str, typer.Option(help="IANA zone of the wall times.")]
TimeFormat = Annotated[str, typer.Option(help="How times are written, for strptime.")]
Delimiter = Annotated[str, typer.Option(help="Between the cells.")]
DecimalMark = Annotated[str, typer.Option(help="A point or a comma.")]


def register(oracle: typer.Typer) -> None:
    """Add the group of commands."""
    read = typer.Typer(help="What a file says, as the adapters understand it.", no_args_is_help=True)
    oracle.add_typer(read, name="read")

    @read.command()
    def camt(
        files: Annotated[list[Path], typer.Argument(help="camt.053 or camt.054 messages, any version.")],
        json_output: Json = False,
    ) -> None:
        """Read bank messages: each booking once, income by currency, and whether the sums hold.

        Exit code 1 if a statement contradicts itself or two tell one booking differently.
        """
        from rwa_sim.errors import ResultFailed

        found = _read_camt(files)
        _show(found, json_output)
        wrong = [line for each in found["statements"] for line in each["findings"]]
        if wrong or found["conflicts"]:
            raise ResultFailed(f"oracle read camt: {'; '.join(wrong) or 'two statements of one name differ'}")

    @read.command()
    def sessions(
        file: Annotated[Path, typer.Argument(help="CSV file of charging sessions.")],
        session_id: Annotated[str, typer.Option(help="Column of the session's id.")],
        user_id: Annotated[str, typer.Option(help="Column of the user's id.")],
        start: Annotated[str, typer.Option(help="Column of the plug-in.")],
        end: Annotated[str, typer.Option(help="Column of the plug-out; may be empty.")],
        energy: Annotated[str, typer.Option(help="Column of the energy.")],
        time_format: TimeFormat,
        zone: Zone,
        unit: Annotated[str, typer.Option(help="Unit of the energy: Wh or kWh.")] = "kWh",
        delimiter: Delimiter = ",",
        decimal_mark: DecimalMark = ".",
        rating_w: Annotated[
            int | None, typer.Option(min=1, help="Rated power, to count sessions beyond it.")
        ] = None,
        json_output: Json = False,
    ) -> None:
        """Read charging sessions: energy to the watt-hour, and what is odd about their times."""
        from oracles.adapters.sessions import SessionColumns, read_sessions

        columns = SessionColumns(
            session_id=session_id,
            user_id=user_id,
            start=start,
            end=end,
            energy=energy,
            unit=unit,
            rating_w=rating_w,
        )
        _, notes = read_sessions(file, columns, _form(time_format, zone, delimiter, decimal_mark))
        _show(asdict(notes), json_output)

    @read.command()
    def hourly(
        file: Annotated[
            Path, typer.Argument(help="Wide CSV file: a time, and a column for each zone or country.")
        ],
        time_column: Annotated[list[str], typer.Option(help="Column of the time; twice for date and time.")],
        time_format: TimeFormat,
        zone: Zone,
        column: Annotated[
            list[str] | None, typer.Option(help="Column to read; all if none is named.")
        ] = None,
        ignore: Annotated[list[str] | None, typer.Option(help="Column that holds no values.")] = None,
        prices: Annotated[
            list[Path] | None, typer.Option(help="File of prices by the same columns; several are added up.")
        ] = None,
        delimiter: Delimiter = ",",
        decimal_mark: DecimalMark = ".",
        interval_s: Annotated[int, typer.Option(min=1, help="Spacing of the rows.")] = 3_600,
        json_output: Json = False,
    ) -> None:
        """Read volumes or prices by the hour; with prices, the exact revenue."""
        from oracles.adapters.tariffs import exact_sum, read_series, total_revenue

        form = _form(time_format, zone, delimiter, decimal_mark)

        def series(path: Path) -> HourlySeries:
            return read_series(
                path,
                form,
                time_columns=time_column,
                columns=column or (),
                ignore=ignore or (),
                interval_s=interval_s,
            )

        volumes = series(file)
        found: dict[str, Any] = _series_notes(volumes)
        if prices:
            parts = [total_revenue(volumes, series(path)) for path in prices]
            found["revenue"] = {path.name: str(part.amount) for path, part in zip(prices, parts, strict=True)}
            found["revenue_total"] = str(exact_sum(part.amount for part in parts))
        _show(found, json_output)

    @read.command()
    def series(
        file: Annotated[Path, typer.Argument(help="CSV (also .gz) or Parquet file of one meter.")],
        time_column: Annotated[str, typer.Option(help="Column of the time.")],
        value_column: Annotated[str, typer.Option(help="Column of the values.")],
        kind: Annotated[str, typer.Option(help="power, register or interval_energy.")],
        unit: Annotated[str, typer.Option(help="W or kW; Wh, kWh or MWh.")],
        interval_s: Annotated[int, typer.Option(min=1, help="Spacing of the values.")],
        nameplate_w: Annotated[int, typer.Option(min=1, help="Most power behind the meter.")],
        zone: Annotated[str, typer.Option(help="Zone of times without one: an IANA name or an offset.")] = "",
        clock: Annotated[str, typer.Option(help="as_labelled, or dst_follows:<zone>.")] = "as_labelled",
        label_at: Annotated[str, typer.Option(help="start or end of the interval.")] = "start",
        json_output: Json = False,
    ) -> None:
        """Read a meter's series as it would be signed: register, gaps, clock, what physics excludes."""
        from oracles.adapters.replay import ReplayConfig, replay
        from oracles.devices.meter import DeviceMeter

        config = ReplayConfig(
            path=file,
            time_column=time_column,
            value_column=value_column,
            value_kind=kind,  # type: ignore[arg-type]
            unit=unit,
            interval_s=interval_s,
            nameplate_w=nameplate_w,
            zone=zone,
            clock=clock,
            label_at=label_at,  # type: ignore[arg-type]
        )
        device = DeviceMeter(bytes(31) + b"\x01", meter_id="unsigned")
        notes = replay(config, device).notes
        _show(asdict(notes) | {"lines": notes.lines()}, json_output)

    @read.command()
    def ocmf(
        file: Annotated[Path, typer.Argument(help="OCMF records, one a line.")],
        key: Annotated[
            str, typer.Option(help="Public key of the meter, hex: DER, compressed or uncompressed.")
        ],
        json_output: Json = False,
    ) -> None:
        """Read signed meter values: register, state, signature, and pages that are missing.

        Exit code 1 if a signature does not hold.
        """
        from rwa_sim.errors import ResultFailed

        found = _read_ocmf(file, key)
        _show(found, json_output)
        bad = [each["line"] for each in found["records"] if not each["signed"]]
        if bad:
            raise ResultFailed(
                f"oracle read ocmf: expected all records signed by the key, lines {bad} are not"
            )


def _form(time_format: str, zone: str, delimiter: str, decimal_mark: str) -> TableFormat:
    from oracles.adapters.local_table import TableFormat
    from rwa_sim.errors import InputError

    for option, value, allowed in (
        ("--delimiter", delimiter, None),
        ("--decimal-mark", decimal_mark, (".", ",")),
    ):
        if len(value) != 1 or (allowed and value not in allowed):
            raise InputError(where="oracle read", key=option, expected="one character", got=repr(value))
    return TableFormat(time_format=time_format, zone=zone, delimiter=delimiter, decimal_mark=decimal_mark)


def _read_camt(files: list[Path]) -> dict[str, Any]:
    from collections import Counter

    from oracles.adapters.bank_book import BankBook
    from oracles.adapters.camt import parse_camt
    from oracles.adapters.statement_notes import note_statement
    from rwa_sim.errors import DataMissing

    book, statements = BankBook(), []
    for path in files:
        if not path.is_file():
            raise DataMissing(where="oracle read camt", key="FILES", path=str(path))
        parsed = parse_camt(path.read_bytes(), where=path.name)
        book.add(parsed)
        for statement in parsed:
            notes = note_statement(statement)
            statements.append(
                {
                    "file": path.name,
                    "kind": statement.kind,
                    "statement": statement.statement_id,
                    "sequence": statement.sequence,
                    "account": statement.account,
                    "entries": len(statement.entries),
                    "status": notes.status_counts,
                    "booked_minor": {f"{c} {k}": v for (c, k), v in sorted(notes.booked_minor.items())},
                    "income_minor": notes.income_minor,
                    "reversals": notes.reversal_count,
                    "unreferenced": notes.unreferenced_count,
                    "balance_holds": notes.balance_holds,
                    "findings": [str(finding) for finding in notes.findings],
                }
            )
    income: Counter[str] = Counter()
    entries = book.booked_entries()
    for entry in entries:
        income[f"{entry.account} {entry.currency}"] += entry.income_minor
    return {
        "statements": statements,
        "bookings": len(entries),
        "told_again": book.repeated_count,
        "delivered_again": book.redelivered_count,
        "conflicts": len(book.conflicts),
        "gaps": [asdict(gap) for gap in book.gaps()],
        "income_minor": dict(sorted(income.items())),
    }


def _series_notes(series: HourlySeries) -> dict[str, Any]:
    return {
        "rows": series.row_count,
        "columns": len(series.values),
        "gaps": series.gap_count,
        "empty": series.empty_count,
        "negative": series.negative_count,
        "doubled_hours": series.doubled_hour_count,
        "total": {name: str(series.total(name)) for name in series.values},
        "negative_by_column": {
            name: count
            for name, values in series.values.items()
            if (count := sum(value < 0 for value in values.values()))
        },
    }


def _read_ocmf(path: Path, key: str) -> dict[str, Any]:
    from oracles.ocmf import missing_pages, parse_payload, parse_record
    from oracles.ocmf_keys import is_record_signed
    from rwa_sim.errors import DataMissing, InputError

    if not path.is_file():
        raise DataMissing(where="oracle read ocmf", key="FILE", path=str(path))
    try:
        public_key = bytes.fromhex(key)
    except ValueError:
        raise InputError(where="oracle read ocmf", key="--key", expected="a public key in hex") from None
    records, payloads = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        record = parse_record(line, where=f"{path}, line {number}")
        payload = parse_payload(record, where=f"{path}, line {number}")
        payloads.append(payload)
        records.append(
            {
                "line": number,
                "algorithm": record.algorithm,
                "signed": is_record_signed(record, public_key),
                "readings": [asdict(reading) | {"quality": reading.quality} for reading in payload.readings],
            }
        )
    return {"records": records, "missing_pages": missing_pages(payloads)}


def _show(found: dict[str, Any], json_output: bool) -> None:
    """JSON on one line, or one `name: value` a line."""
    import json

    if json_output:
        typer.echo(json.dumps(found, default=str))
        return
    for name, value in found.items():
        for line in _lines(name, value):
            typer.echo(line)


def _lines(name: str, value: Any, indent: str = "") -> list[str]:
    if isinstance(value, dict) and value:
        inner = [line for key, each in value.items() for line in _lines(str(key), each, indent + "  ")]
        return [f"{indent}{name.replace('_', ' ')}:", *inner]
    if isinstance(value, list | tuple) and value:
        inner = [
            line
            for number, each in enumerate(value, start=1)
            for line in (_lines(str(number), each, indent + "  "))
        ]
        return [f"{indent}{name.replace('_', ' ')}:", *inner]
    shown = "none" if value in ([], (), {}, None) else value
    return [f"{indent}{name.replace('_', ' ')}: {shown}"]
