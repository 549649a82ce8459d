"""`rwa-sim export` on a run of its own: a dozen trades, four periods, three worlds.

rwa-sim export
├── counts                 instructions = 2 x trades, confirmations = 2 x settled, one notice a coupon
├── sums                   of the messages as read back are those of the tables, to the cent
├── camt.054
│   ├── our reader         reads every credit back, with the same total
│   └── pyiso20022         parses every one, if it is installed (generated from the schema of camt.054.001.08)
├── sese.023, sese.025     python-iso20022 knows every element, if it is installed (generated from a later version)
├── docs/iso20022.md       lists exactly the elements that the messages have, and options there are
├── --json                 is the summary file
├── --xsd                  a fault is a line and exit code 1; the messages are there
└── bad input              exit 2, one line, nothing written
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints
from xml.etree import ElementTree

import duckdb
import pytest

from oracles.adapters.camt import parse_camt
from oracles.schema import EntryKind

from .conftest import ROOT, SMALL, rwa_sim

EXECUTED, MODELLED = "atomic-dvp", "EU-T2-T2S"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    text = (ROOT / "scenarios" / "solar_demo.toml").read_text("utf-8")
    for old, new in SMALL.items():
        text = text.replace(old, new)
    scenario = folder / "small.toml"
    scenario.write_text(text.replace('"data/', f'"{ROOT}/scenarios/data/'), "utf-8")
    done = rwa_sim("run", str(scenario), "--out", str(folder / "run"))
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def exported(run: Path) -> dict[str, Path]:
    """Output folder by world."""
    folders = {}
    for world in (EXECUTED, MODELLED):
        folders[world] = run.parent / world
        done = rwa_sim("export", str(run), "--out", str(folders[world]), "--world", world, "--tables")
        assert done.returncode == 0, done.stderr
        assert f"world: {world}" in done.stdout
    return folders


def query(run: Path, text: str, *values: object) -> Any:
    with duckdb.connect(str(run / "run.duckdb"), read_only=True) as db:
        return db.execute(text, list(values)).fetchall()[0][0]


def documents(folder: Path) -> list[ElementTree.Element]:
    """The messages of a folder, without namespace."""
    roots = [ElementTree.parse(path).getroot() for path in sorted(folder.glob("*.xml"))]  # noqa: S314
    for root in roots:
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return roots


def cents(folder: Path, path: str) -> int:
    texts = [root.findtext(path, "") for root in documents(folder)]
    assert all(re.fullmatch(r"\d+\.\d\d", text) for text in texts)
    return sum(int(text.replace(".", "")) for text in texts)


@pytest.mark.parametrize("world", [EXECUTED, MODELLED])
def test_counts_are_those_of_the_tables(run, exported, world):
    counted = {name: len(documents(exported[world] / name)) for name in ("sese.023", "sese.025", "seev.031")}

    settled = "SELECT count(*) FROM settlements WHERE profile = ? AND status = 'settled'"
    assert counted == {
        "sese.023": 2 * query(run, "SELECT count(*) FROM trades"),
        "sese.025": 2 * query(run, settled, world),
        "seev.031": query(run, "SELECT count(*) FROM coupons WHERE profile = ?", world),
    }


@pytest.mark.parametrize("world", [EXECUTED, MODELLED])
def test_sums_of_the_messages_are_those_of_the_tables_to_the_cent(run, exported, world):
    cash = "SELECT 2 * sum(t.cash_usd6 // 10000)::BIGINT FROM settlements s JOIN trades t USING (trade_id)"
    where = " WHERE s.profile = ?"
    receipts = "SELECT sum(amount_usd6 // 10000)::BIGINT FROM payments WHERE status = 'paid'"
    collections = query(run, "SELECT sum(amount_usd6 // 10000)::BIGINT FROM credits")

    out = exported[world]
    assert cents(out / "sese.023", ".//SttlmAmt/Amt") == query(run, cash + where, world)
    assert cents(out / "sese.025", ".//SttldAmt/Amt") == query(
        run, cash + where + " AND s.status = 'settled'", world
    )
    credited = collections + (query(run, receipts) if world == EXECUTED else 0)
    assert cents(out / "camt.054", ".//Ntry/Amt") == credited


def test_our_reader_reads_every_credit_back_with_the_same_total(run, exported):
    entries = [
        entry
        for path in sorted((exported[EXECUTED] / "camt.054").glob("*.xml"))
        for statement in parse_camt(path.read_bytes(), where=path.name)
        for entry in statement.entries
    ]

    summary = json.loads((exported[EXECUTED] / "export.json").read_text("utf-8"))["messages"]["camt.054"]
    assert len(entries) == summary["count"]
    assert {entry.kind for entry in entries} == {EntryKind.CREDIT}
    assert sum(entry.amount_minor for entry in entries) == summary["amount_cents"]
    first = query(run, "SELECT min(booked_at_s) FROM credits")
    assert first in {entry.booked_at_s for entry in entries}


def test_pyiso20022_parses_every_camt(exported):
    schema = pytest.importorskip("pyiso20022.camt.camt_054_001_08")
    parsers = pytest.importorskip("xsdata.formats.dataclass.parsers")

    parser = parsers.XmlParser()
    for path in sorted((exported[EXECUTED] / "camt.054").glob("*.xml")):
        message = parser.parse(path, schema.Document)
        (notice,) = message.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
        assert notice.ntry[0].amt.value > 0
        assert_known(ElementTree.parse(path).getroot(), schema.Document)  # noqa: S314


@pytest.mark.parametrize(("name", "kind"), [("sese.023", "Sese02300111"), ("sese.025", "Sese02500111")])
def test_python_iso20022_knows_every_element(exported, name, kind):
    models = pytest.importorskip(f"python_iso20022.sese.{name.replace('.', '_')}_001_11.models")

    for path in sorted((exported[EXECUTED] / name).glob("*.xml"))[:2]:
        assert_known(ElementTree.parse(path).getroot(), getattr(models, kind))  # noqa: S314


def assert_known(element: ElementTree.Element, kind: type, path: str = "") -> None:
    """Names, order and required children are those of a generated dataclass."""
    children = {
        f.metadata.get("name", f.name): f for f in fields(kind) if f.metadata.get("type") == "Element"
    }
    names = [child.tag.rpartition("}")[2] for child in element]
    order = list(children)
    assert [n for n in names if n not in children] == [], path
    assert sorted(names, key=order.index) == names, path
    assert [n for n, f in children.items() if f.metadata.get("required") and n not in names] == [], path
    for child, name in zip(element, names, strict=True):
        inner: Any = get_type_hints(kind)[children[name].name]
        while get_args(inner):
            inner = get_args(inner)[0]
        if is_dataclass(inner):
            assert_known(child, inner, f"{path}/{name}")


@pytest.mark.parametrize("name", ["sese.023", "sese.025", "camt.054", "seev.031"])
def test_the_page_lists_exactly_the_elements_of_the_messages(exported, name):
    page = (ROOT / "docs" / "iso20022.md").read_text("utf-8")
    section = page.partition(f"\n## {name} ")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))

    used = set()
    for folder in exported.values():
        for root in documents(folder / name):
            used |= set(leaves(root[0]))
    # the run knows the units of every coupon, so that this one does not occur in it
    assert used == listed - {"CorpActnOptnDtls/CshMvmntDtls/RateAndAmtDtls/IntrstRateUsdForPmt/NotSpcfdRate"}


def leaves(element: ElementTree.Element, path: str = "") -> list[str]:
    if not len(element):
        return [path]
    return [leaf for child in element for leaf in leaves(child, f"{path}/{child.tag}".lstrip("/"))]


def test_the_page_names_the_options_of_the_command():
    block = (ROOT / "docs" / "iso20022.md").read_text("utf-8").partition("```\n")[2].partition("\n```")[0]
    helped = rwa_sim("export", "--help", env={"COLUMNS": "200"}).stdout

    line = next(line for line in block.splitlines() if line.startswith("rwa-sim export"))
    assert [option for option in re.findall(r"--[a-z]+", line) if option not in helped] == []


def test_exported_table_is_the_table_of_the_run(run, exported):
    file = exported[MODELLED] / "tables" / "settlements.parquet"

    with duckdb.connect(str(run / "run.duckdb"), read_only=True) as db:
        differing = "SELECT count(*) FROM (FROM settlements EXCEPT ALL FROM read_parquet(?))"
        assert db.execute(differing, [str(file)]).fetchall()[0][0] == 0
        counted = db.execute(
            "SELECT (SELECT count(*) FROM read_parquet(?)) - count(*) FROM settlements", [str(file)]
        )
        assert counted.fetchall()[0][0] == 0


def test_json_is_the_summary_file(run, tmp_path):
    done = rwa_sim("export", str(run), "--out", str(tmp_path / "out"), "--limit", "2", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "export.json").read_text("utf-8"))
    assert done.stderr == ""


def test_a_message_that_fails_its_schema_is_a_line_and_exit_code_1(run, tmp_path):
    (tmp_path / "xsd").mkdir()
    schema = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"'
        ' targetNamespace="urn:iso:std:iso:20022:tech:xsd:seev.031.001.09"><xs:element name="Document"/>'
        "</xs:schema>"
    )
    for file, content in (("good", schema), ("bad", schema.replace('name="Document"', 'name="Other"'))):
        (tmp_path / "xsd" / "seev.xsd").write_text(content, "utf-8")
        command = ["export", str(run), "--out", str(tmp_path / file), "--message", "seev.031", "--limit", "1"]
        done = rwa_sim(*command, "--xsd", str(tmp_path / "xsd"))

        if file == "good":
            assert done.returncode == 0, done.stderr
            assert "every message is valid" in done.stdout
        else:
            lines = done.stderr.splitlines()
            assert done.returncode == 1
            assert lines[0].startswith(f"{tmp_path}/bad/seev.031/000001.xml: /")
            assert len(lines) == 2
        assert (tmp_path / file / "seev.031" / "000001.xml").is_file()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"run": "no/run"}, "RUN: expected an existing file, got no/run"),
        ({"world": "W9"}, f"--world: expected one of {MODELLED}, {EXECUTED}, legacy-T3, got 'W9'"),
        ({"message": "pacs.008"}, "--message: expected one of camt.054, seev.031, sese.023, sese.025, got"),
        ({"xsd": "no/xsd"}, "--xsd: expected an existing file, got no/xsd"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(run, tmp_path, changes, says):
    options = [part for key in changes.keys() - {"run"} for part in (f"--{key}", changes[key])]

    done = rwa_sim("export", changes.get("run", str(run)), "--out", str(tmp_path / "out"), *options)

    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
