"""The folder an export writes.

export_run
├── sums                    shown cents and what is below them are the tables' sums, exactly
├── --limit                 bounds each kind; says how many there are
├── --message               only those
├── --tables                CSV and Parquet hold the run's rows; the page describes every column of the store
├── --xsd
│   ├── valid               no fault
│   ├── invalid             one line a fault with file and path; the messages are written all the same
│   ├── no such schema      refused, names the namespace
│   ├── no schema at all    refused, names the file
│   └── without xmlschema   one line that names the extra
└── bad input               refused before anything is written
    ├── no folder, no manifest, no tables, a broken store, an older store
    ├── unknown world or message
    └── output is a file, the run itself, a folder of other things; an earlier export is replaced
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pytest
from export_kit import ATOMIC, CREDITS, PAYMENTS, T2S, TRADES, make_run

from rwa_sim.errors import DataMissing, ExtraMissing, InputError, UnknownName
from rwa_sim.exports.table_columns import COLUMNS
from rwa_sim.exports.table_columns import TABLES as EXPORTED
from rwa_sim.exports.write import KINDS, export_run
from rwa_sim.results.store import TABLES as STORED

SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
  targetNamespace="urn:iso:std:iso:20022:tech:xsd:{version}" xmlns="urn:iso:std:iso:20022:tech:xsd:{version}">
  <xs:element name="Document"><xs:complexType><xs:sequence><xs:element name="SctiesSttlmTxInstr">
    <xs:complexType><xs:sequence>
      <xs:element name="TxId"><xs:simpleType><xs:restriction base="xs:string">
        <xs:maxLength value="{length}"/></xs:restriction></xs:simpleType></xs:element>
      <xs:any maxOccurs="unbounded" processContents="skip"/>
    </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("kit") / "run")


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    folder = tmp_path / "xsd"
    folder.mkdir()
    return folder


def write_schema(folder: Path, length: int, version: str = "sese.023.001.09") -> None:
    (folder / "any name.xsd").write_text(SCHEMA.format(version=version, length=length), "utf-8")


def test_sums_are_those_of_the_tables(run, tmp_path):
    written = {w.message: w for w in export_run(run, tmp_path / "out").written}
    exact = {name: w.amount_cents * 10_000 + w.rounded_usd6 for name, w in written.items() if w.amount_cents}
    notified = [row[6] for row in PAYMENTS if row[7] == "paid" and row[6] >= 10_000]

    assert exact["sese.023"] == 2 * sum(trade[6] for trade in TRADES)
    assert exact["sese.025"] == 2 * sum(trade[6] for trade in TRADES[:2])
    assert exact["camt.054"] == sum(credit[2] for credit in CREDITS) + sum(notified)
    assert written["seev.031"].amount_cents is None


def test_summary_file_says_what_was_returned(run, tmp_path):
    done = export_run(run, tmp_path / "out", world=T2S, tables=True)

    assert json.loads((tmp_path / "out" / "export.json").read_text("utf-8")) == done.to_json()
    assert done.to_json()["world"] == T2S


def test_limit_bounds_each_kind_and_says_how_many_there_are(run, tmp_path):
    done = export_run(run, tmp_path / "out", limit=1)

    assert [(w.count, w.available) for w in done.written] == [(1, 6), (1, 4), (1, 5), (1, 3)]
    assert len(list((tmp_path / "out").rglob("*.xml"))) == 4


def test_only_the_messages_asked_for(run, tmp_path):
    export_run(run, tmp_path / "out", messages=["seev.031", "camt.054"])

    assert {p.name for p in (tmp_path / "out").iterdir()} == {"seev.031", "camt.054", "export.json"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("table", EXPORTED)
def test_tables_hold_the_rows_of_the_run(run, tmp_path, table, suffix):
    export_run(run, tmp_path / "it's out", tables=True)
    file = tmp_path / "it's out" / "tables" / f"{table}.{suffix}"
    columns = ", ".join(STORED[table].replace(",", "").split()[::2])

    with duckdb.connect(str(run / "run.duckdb"), read_only=True) as db:
        stored = db.table(table).project(columns).fetchall()
        read = db.read_csv(str(file), all_varchar=True) if suffix == "csv" else db.read_parquet(str(file))
        exported = read.project(columns).fetchall()
    if suffix == "csv":
        stored = [tuple(None if value in (None, "") else str(value) for value in row) for row in stored]
    assert exported == stored


def test_every_column_of_the_store_is_described(run, tmp_path):
    export_run(run, tmp_path / "out", tables=True)
    page = (tmp_path / "out" / "tables" / "README.md").read_text("utf-8")

    for table in EXPORTED:
        for name in STORED[table].replace(",", "").split()[::2]:
            assert (table, name) in COLUMNS or ("", name) in COLUMNS, f"{table}.{name}"
            assert f"| `{name}` |" in page.partition(f"## {table}")[2].partition("##")[0]


def test_valid_messages_have_no_fault(run, tmp_path, schemas):
    write_schema(schemas, 35)

    done = export_run(run, tmp_path / "out", messages=["sese.023"], xsd=schemas)

    assert done.checked
    assert done.faults == []


def test_each_fault_is_a_line_with_file_and_path(run, tmp_path, schemas):
    write_schema(schemas, 6)

    done = export_run(run, tmp_path / "out", messages=["sese.023"], xsd=schemas)

    assert len(done.faults) == 6
    assert done.faults[0].startswith("sese.023/000001-DELI.xml: /Document/SctiesSttlmTxInstr/TxId: ")
    assert "\n" not in "".join(done.faults)
    assert len(list((tmp_path / "out" / "sese.023").glob("*.xml"))) == 6


def test_a_version_without_schema_is_refused_by_namespace(run, tmp_path, schemas):
    write_schema(schemas, 35, version="sese.023.001.11")

    with pytest.raises(
        InputError, match=r"targetNamespace urn:iso:std:iso:20022:tech:xsd:sese\.023\.001\.09"
    ):
        export_run(run, tmp_path / "out", messages=["sese.023"], xsd=schemas)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", ["no xml", '<a targetNamespace="urn:iso:std:iso:20022:tech:xsd:sese.023.001.09"/>']
)
def test_a_file_that_is_no_schema_is_refused_by_name(run, tmp_path, schemas, content):
    (schemas / "sese.xsd").write_text(content, "utf-8")

    with pytest.raises(InputError, match=r"sese\.xsd: expected an XML schema, got [^\n]*$"):
        export_run(run, tmp_path / "out", messages=["sese.023"], xsd=schemas)


def test_without_schemas_folder_is_refused(run, tmp_path):
    with pytest.raises(DataMissing, match="--xsd"):
        export_run(run, tmp_path / "out", xsd=tmp_path / "none")


def test_without_xmlschema_the_extra_is_named(run, tmp_path, schemas, monkeypatch):
    monkeypatch.setitem(sys.modules, "xmlschema", None)

    with pytest.raises(ExtraMissing, match=r"pip install 'rwa-sim\[iso\]'"):
        export_run(run, tmp_path / "out", xsd=schemas)


@pytest.mark.parametrize("missing", [".", "manifest.json", "run.duckdb"])
def test_no_run_is_refused(tmp_path, missing):
    run = make_run(tmp_path / "run")
    target = run / missing
    target.rename(tmp_path / "away")

    with pytest.raises(DataMissing, match=str(target)):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_broken_manifest_is_refused(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "manifest.json").write_text("[]", "utf-8")

    with pytest.raises(InputError, match=r"manifest\.json: expected the manifest of a run"):
        export_run(run, tmp_path / "out")


def test_a_broken_store_is_refused_in_one_line(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "run.duckdb").write_bytes(b"no database" * 1000)

    with pytest.raises(InputError, match=r"run\.duckdb: expected the tables of a run, got [^\n]+$"):
        export_run(run, tmp_path / "out")


def test_a_store_without_a_column_is_refused(tmp_path):
    run = make_run(tmp_path / "run")
    with duckdb.connect(str(run / "run.duckdb")) as db:
        db.execute("ALTER TABLE settlements DROP COLUMN pieces")

    with pytest.raises(InputError, match="expected the tables of a run"):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_without_settlements_is_refused(tmp_path):
    run = make_run(tmp_path / "run", settlements=[])

    with pytest.raises(InputError, match="settlements of at least one world"):
        export_run(run, tmp_path / "out")


def test_an_unknown_world_is_refused_with_those_there_are(run, tmp_path):
    with pytest.raises(UnknownName, match=f"--world: expected one of {T2S}, {ATOMIC}, got 'W9'"):
        export_run(run, tmp_path / "out", world="W9")


def test_an_unknown_message_is_refused_with_those_there_are(run, tmp_path):
    with pytest.raises(
        UnknownName, match=r"--message: expected one of camt\.054, seev\.031, sese\.023, sese\.025"
    ):
        export_run(run, tmp_path / "out", messages=["pacs.008"])
    assert set(KINDS) == {"sese.023", "sese.025", "camt.054", "seev.031"}


def test_an_output_that_is_a_file_is_refused(run, tmp_path):
    (tmp_path / "out").write_text("", "utf-8")

    with pytest.raises(InputError, match="--out: expected a folder"):
        export_run(run, tmp_path / "out")


def test_a_folder_of_other_things_is_not_replaced(tmp_path):
    run = make_run(tmp_path / "run")

    for out in (run, tmp_path):
        with pytest.raises(InputError, match="--out: expected a new folder"):
            export_run(run, out)
    assert (run / "run.duckdb").is_file()


def test_an_earlier_export_is_replaced_as_a_whole(run, tmp_path):
    export_run(run, tmp_path / "out", tables=True)
    export_run(run, tmp_path / "out", messages=["sese.023"])

    assert {p.name for p in (tmp_path / "out").iterdir()} == {"sese.023", "export.json"}
    assert {p.name for p in tmp_path.iterdir()} == {"out"}
