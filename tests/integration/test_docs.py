"""The documents say what the program does: output, tables, query and links are held against the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from .conftest import ROOT, rwa_sim

DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_readme_shows_the_real_output_of_the_demo():
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```text\n(.*?)\n```", readme, re.DOTALL)

    for block, name in zip(blocks, ("demo.json", "demo_script.json"), strict=True):
        lines = json.loads((ROOT / "tests" / "golden" / name).read_text("utf-8"))
        assert block == "\n".join(line.rstrip() for line in lines)


def test_readme_is_two_screens():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 130


@pytest.mark.parametrize("name", ["metrics", "scenario", "study", "gas"])
def test_tables_in_the_docs_are_those_of_the_code(name):
    printed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs_tables.py"), name],
        capture_output=True,
        text=True,
        check=True,
    )

    assert printed.stdout.strip() in (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def test_the_documented_query_is_the_one_that_runs():
    query = (ROOT / "rwa_sim" / "results" / "trace.sql").read_text("utf-8").strip()

    assert f"```sql\n{query}\n```" in (ROOT / "docs" / "results.md").read_text("utf-8")


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_documented_make_target_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for document in DOCS:
        for target in re.findall(r"`make ([a-z-]+)", document.read_text("utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: make {target}"


def test_decisions_are_numbered_and_half_a_page():
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    assert [path.name[:4] for path in decisions] == [f"{n:04d}" for n in range(1, len(decisions) + 1)]
    assert all(len(path.read_text("utf-8").split()) < 350 for path in decisions)


def test_no_machine_path_and_no_secret_is_in_the_sources():
    """Looks in every tracked text file; the words are joined here so that this file does not find itself."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = ["/wo" + "rk/", "/fa" + "rm/", "." + "library", "BEGIN " + "PRIVATE KEY"]
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".json", ".csv", ".gz") or not path.is_file():
            continue
        text = path.read_text("utf-8", errors="ignore")
        assert not [word for word in forbidden if word in text], name


def test_the_documented_adapter_runs_and_prints_what_it_says():
    page = (ROOT / "docs" / "contracts.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (output,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert printed.stdout == output


def test_the_documented_configurations_are_accepted(tmp_path):
    from oracles.node.settings import AggregatorSettings, NodeSettings, read_settings

    text = (ROOT / "docs" / "oracle-network.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)\n```", text, re.DOTALL)

    for block, model in zip(blocks, (NodeSettings, AggregatorSettings), strict=True):
        (tmp_path / "config.toml").write_text(block, "utf-8")
        settings = read_settings(tmp_path / "config.toml", model)
        assert len(settings.periods.schedule()) == 365
        assert settings.feed.feed_config().quorum in (1, 3)


def test_the_documented_bench_commands_are_those_that_run(tmp_path):
    page = (ROOT / "docs" / "bench.md").read_text("utf-8")
    quick, full = re.findall(r"^rwa-sim (.*)$", page, re.MULTILINE)
    assert f"rwa-sim {full}" in (ROOT / "Makefile").read_text("utf-8")

    done = rwa_sim(*quick.split(), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "bench.jsonl").read_text("utf-8").count("\n") == 1
    for name in ("bench.html", "bench.md", "bench.json"):
        assert f"`{name}`" in page and (tmp_path / "out" / "bench" / name).is_file()


def test_every_row_of_the_bench_is_documented():
    from rwa_sim.bench.rows import ROWS

    page = (ROOT / "docs" / "bench.md").read_text("utf-8")
    for row in ROWS:
        assert re.search(rf"^\|[^|]*`{row.key}`", page, re.MULTILINE), row.key


def test_every_documented_oracle_command_exists():
    from typer.testing import CliRunner

    from rwa_sim.cli import app

    helped = CliRunner().invoke(app, ["oracle", "--help"]).output
    for document in DOCS:
        for name in re.findall(r"rwa-sim oracle ([a-z-]+)", document.read_text("utf-8")):
            assert f" {name} " in helped, f"{document.name}: rwa-sim oracle {name}"
