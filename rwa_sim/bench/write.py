"""The output of a bench: a folder with JSON, table and page, all or nothing, and a line of the log."""

from __future__ import annotations

import json
from pathlib import Path

from rwa_sim.bench.page import render_bench
from rwa_sim.bench.report import Report
from rwa_sim.files import append_line, folder_replaced_when_done


def write_bench(report: Report, out: Path, log: Path) -> None:
    """Write the folder aside, put it in place, then append to the log."""
    with folder_replaced_when_done(out) as folder:
        text = json.dumps(report.to_json(), indent=2, ensure_ascii=False)
        (folder / "bench.json").write_text(text + "\n", "utf-8")
        (folder / "bench.md").write_text(report.to_markdown(), "utf-8")
        (folder / "bench.html").write_text(render_bench(report), "utf-8")
    append_line(log, json.dumps(report.to_log(), ensure_ascii=False, separators=(",", ":")))
