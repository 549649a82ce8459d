"""The bench's frame with rows that take no time.

bench
├── ratios            to the base's value of the same round; of what shall be small, the other way round
├── rounds            there and back; a row may be measured in the first ones only
├── chosen            a row brings its base along; an unknown one is refused
├── a row that fails  at set-up, in a round, or at its figure: the others go on, its own figures are not shown
├── a row that lacks something    is not measured, and says what it lacks
├── targets           kept at the bound itself; judged by the median; not judged in a quick run
├── profile           asked for if the target is missed, and only then
├── profiled          names the function that takes the time
├── log               a line for each run; after one that was cut off; whole although many write at once
├── folder            a page that cannot be made leaves the earlier folder, and the log, as they are
├── table and page    texts escaped, series with the same axes in one figure, logarithmic over decades
└── command           exit code 0 though a target is missed, 1 if a row fails (with everything written), 2 of bad input
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from rwa_sim.bench import write
from rwa_sim.bench.machine import machine, versions
from rwa_sim.bench.page import render_bench
from rwa_sim.bench.profiling import profiled
from rwa_sim.bench.report import Report, shown
from rwa_sim.bench.result import Spread, Status
from rwa_sim.bench.row import Better, Meter, Of, Row, Series, Size, Target
from rwa_sim.bench.runner import chosen, run_bench
from rwa_sim.bench.trade import require_compliance
from rwa_sim.bench.write import write_bench
from rwa_sim.cli import main
from rwa_sim.errors import EnvironmentFault, ExtraMissing, ResultFailed, Reverted, UnknownName

MACHINE = {
    "cores": 2,
    "cpu": "a <fast> one",
    "memory_bytes": 2**31,
    "system": "S",
    "python": "P",
    "load_1min": 0.5,
}


def row(key="row", values=(1.0,), *, calls=None, fail_at=None, series=None, profile=None, **more) -> Row:
    """A row whose values are known; `calls` collects (key, round)."""

    def measure(number: int) -> float:
        if calls is not None:
            calls.append((key, number))
        if number == fail_at:
            raise ResultFailed("it did not settle")
        return values[number - 1]

    @contextmanager
    def open_row(size):
        yield Meter(measure=measure, series=series, profile=profile)

    return Row(key=key, title=f"the {key}", unit="DvP/s", definition=f"what {key} is", open=open_row, **more)


def refusing(key: str, error: Exception) -> Row:
    @contextmanager
    def open_row(size):
        raise error
        yield

    return Row(key=key, title=key, unit="s", definition="", open=open_row)


def report_of(*rows: Row, rounds: int = 1, size: Size = Size.FULL) -> Report:
    results = run_bench(rows, size, rounds)
    return Report(
        at="2026-01-01T00:00:00+00:00", commit="abc", size=size, rounds=rounds, machine=MACHINE,
        versions={"web3": "8"}, results=tuple(results),
    )  # fmt: skip


def test_a_ratio_is_to_the_base_in_the_same_round():
    base = row("base", (10.0, 1.0, 2.0))
    fast = row("fast", (20.0, 5.0, 6.0), base="base")

    plain, compared = run_bench([base, fast], Size.FULL, 3)

    assert compared.ratios == (2.0, 5.0, 3.0)
    assert compared.ratio == Spread(low=2.0, median=3.0, high=5.0)
    assert compared.spread == Spread(low=5.0, median=6.0, high=20.0)
    assert plain.ratio is None


def test_a_ratio_of_what_shall_be_small_is_the_other_way_round():
    _, compared = run_bench(
        [row("base", (10.0,)), row("short", (4.0,), base="base", better=Better.LESS)], Size.FULL, 1
    )

    assert compared.ratios == (2.5,)


def test_rounds_go_there_and_back_and_a_long_row_has_fewer():
    calls = []
    rows = [row(key, (1.0, 1.0, 1.0), calls=calls) for key in "ab"]
    rows.append(row("c", (1.0, 1.0), calls=calls, most_rounds=2, base="a"))

    results = run_bench(rows, Size.FULL, 3)

    assert "".join(key for key, _ in calls) == "abc" + "cba" + "ab"
    assert [len(result.values) for result in results] == [3, 3, 2]
    assert len(results[2].ratios) == 2


def test_a_row_brings_its_base_along():
    rows = [row("a"), row("b", base="a"), row("c", base="b"), row("d")]

    assert [r.key for r in chosen(rows, ["c"])] == ["a", "b", "c"]
    assert [r.key for r in chosen(rows, [])] == ["a", "b", "c", "d"]
    with pytest.raises(UnknownName, match="one of a, b, c, d"):
        chosen(rows, ["e"])


def broken_series() -> Series:
    raise Reverted("Expired", {})


@pytest.mark.parametrize(
    "bad",
    [
        refusing("bad", ResultFailed("it did not settle")),
        row("bad", (1.0, 1.0), fail_at=2),
        row("bad", (1.0, 1.0), series=broken_series),
    ],
    ids=["set-up", "round", "figure"],
)
def test_a_row_that_fails_does_not_stop_the_others(bad):
    good = row("good", (1.0, 2.0), base="bad")

    results = run_bench([bad, good], Size.FULL, 2)

    assert results[0].status is Status.FAILED and results[0].values == ()
    assert results[0].why
    assert results[1].status is Status.MEASURED and results[1].values == (1.0, 2.0)


def test_no_ratio_to_a_base_that_failed_in_a_round():
    results = run_bench([row("bad", (1.0,), fail_at=1), row("good", base="bad")], Size.FULL, 1)

    assert results[1].ratio is None


@pytest.mark.parametrize(
    "error",
    [
        ExtraMissing(package="pyrevm", extra="revm", purpose="engine revm"),
        EnvironmentFault("no anvil binary"),
    ],
)
def test_a_row_that_lacks_something_is_not_measured(error):
    report = report_of(refusing("lacking", error), row("good"))

    assert report.results[0].status is Status.NOT_MEASURED
    assert not report.failures
    assert f"not measured: {error}" in report.to_markdown()
    assert report.to_log()["rows"]["lacking"] == {"status": "not measured", "why": str(error)}


@pytest.mark.parametrize(
    ("target", "values", "met"),
    [
        (Target(of=Of.VALUE, at_least=2.0), (1.0, 2.0, 9.0), True),
        (Target(of=Of.VALUE, at_least=2.0), (1.0, 1.9, 9.0), False),
        (Target(of=Of.VALUE, at_most=2.0), (1.0, 2.0, 9.0), True),
        (Target(of=Of.VALUE, at_most=2.0), (1.0, 2.1, 9.0), False),
        (Target(of=Of.VALUE, at_least=1.0, at_most=2.0), (0.5, 0.5, 0.5), False),
        (Target(of=Of.RATIO, at_least=4.0), (2.0, 4.0, 8.0), True),
        (Target(of=Of.RATIO, at_least=4.1), (2.0, 4.0, 8.0), False),
        (None, (1.0, 2.0, 9.0), None),
    ],
)
def test_a_target_is_judged_by_the_median(target, values, met):
    base = row("base", (1.0, 1.0, 1.0))

    _, result = run_bench([base, row("r", values, base="base", target=target)], Size.FULL, 3)
    _, quick = run_bench([base, row("r", values, base="base", target=target)], Size.QUICK, 3)

    assert result.met is met
    assert quick.met is None, "a quick run judges no target"


def test_a_target_of_a_ratio_without_a_base_is_not_judged():
    (result,) = run_bench([row("r", target=Target(of=Of.RATIO, at_least=1.0))], Size.FULL, 1)

    assert result.met is None


def test_a_profile_is_asked_for_if_the_target_is_missed_only():
    asked = []

    def profile() -> str:
        asked.append(1)
        return "all in <keccak>"

    (met,) = run_bench([row(profile=profile, target=Target(of=Of.VALUE, at_least=1.0))], Size.FULL, 1)
    assert (met.profile, asked) == ("", [])

    report = report_of(row(profile=profile, target=Target(of=Of.VALUE, at_least=2.0)))
    assert report.results[0].profile == "all in <keccak>"
    assert "all in &lt;keccak&gt;" in render_bench(report)
    assert "all in <keccak>" in report.to_markdown()


def slow_function() -> None:
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass


def test_a_profile_names_what_takes_the_time():
    lines = profiled(slow_function).splitlines()

    assert "slow_function" in lines[1] + lines[2]
    assert "test_bench.py" in lines[1] + lines[2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.6, "1,235"), (99.94, "99.9"), (1.2345, "1.23"), (0.00123, "0.00123"), (0.0, "0")],
)
def test_three_digits_are_shown(value, text):
    assert shown(value) == text


def test_a_run_is_one_line_of_the_log_and_follows_one_that_was_cut_off(tmp_path):
    log = tmp_path / "results" / "bench.jsonl"
    report = report_of(row(), rounds=1)

    write_bench(report, tmp_path / "out", log)
    assert [json.loads(line) for line in log.read_text("utf-8").splitlines()] == [report.to_log()]
    with log.open("a", encoding="utf-8") as stream:
        stream.write('{"cut o')
    write_bench(report, tmp_path / "out", log)

    lines = log.read_text("utf-8").splitlines()
    assert [json.loads(lines[0]), lines[1], json.loads(lines[2])] == [
        report.to_log(),
        '{"cut o',
        report.to_log(),
    ]


APPEND_MANY = """
import sys
from pathlib import Path
from rwa_sim.files import append_line
for _ in range(50):
    append_line(Path(sys.argv[1]), sys.argv[2] * 20_000)
"""


def test_lines_of_several_processes_never_mix(tmp_path):
    command = [sys.executable, "-c", APPEND_MANY, str(tmp_path / "log")]
    writers = [subprocess.Popen([*command, letter]) for letter in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]

    lines = (tmp_path / "log").read_text("utf-8").splitlines()
    assert sorted(lines) == [letter * 20_000 for letter in "abc" for _ in range(50)]


def test_a_page_that_cannot_be_made_leaves_everything_as_it_was(tmp_path, monkeypatch):
    log = tmp_path / "bench.jsonl"
    write_bench(report_of(row()), tmp_path / "out", log)
    before = [(path.name, path.read_bytes()) for path in sorted((tmp_path / "out").iterdir())]
    monkeypatch.setattr(write, "render_bench", lambda report: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        write_bench(report_of(row(values=(7.0,))), tmp_path / "out", log)

    assert [(path.name, path.read_bytes()) for path in sorted((tmp_path / "out").iterdir())] == before
    assert len(log.read_text("utf-8").splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.jsonl", "out"]


def curve(*points: tuple[float, float], cost: str = "ms a DvP"):
    return lambda: Series(size="DvP in a row", cost=cost, points=points)


def test_the_page_draws_series_of_the_same_axes_together_and_decades_logarithmically():
    report = report_of(
        row("a", series=curve((1, 3), (1_000, 4))),
        row("b", series=curve((1, 5), (10, 5))),
        row("c", series=curve((1, 1), (2, 2), cost="GB")),
        row("d"),
    )
    page = render_bench(report)
    body = page[page.index("<main") :]

    assert body.count('class="plotly-graph-div"') == 2
    first, second = body[body.index('id="figure-0"') :].split('id="figure-1"')
    assert '"title":{"text":"DvP in a row"},"type":"log"' in first
    assert '"text":"ms a DvP"' in first and '"text":"GB"' in second
    assert '"type":"log"' not in second
    assert "a &lt;fast&gt; one" in body, "texts are escaped"
    for text in ("what a is", "2.0 GiB", "load before", "What this bench does not show", "web3"):
        assert text in body


def test_a_bar_in_a_text_does_not_break_the_table():
    report = report_of(refusing("r", ResultFailed("a | b\nc")))

    (line,) = [line for line in report.to_markdown().splitlines() if line.startswith("| r ")]
    assert line.count(" | ") - line.count("\\|") == 8
    assert "a \\| b c" in line


def test_the_machine_and_the_versions_are_named():
    found, packages = machine(), versions()

    assert found["cores"] >= 1 and found["cpu"] and found["python"].startswith("CPython 3")
    assert set(packages) == {
        "rwa-sim", "pyrevm", "web3", "eth-tester", "py-evm", "coincurve", "anvil", "solc"
    }  # fmt: skip
    assert all(packages.values())


class CarelessMarket:
    """Settles whatever it is given, or nothing."""

    def __init__(self, *, settles: bool) -> None:
        self.settles = settles

    def fund(self, label): ...

    def register(self, label): ...

    def settle(self, number, buyer="buyer"):
        if not self.settles:
            raise ResultFailed("it did not settle")


@pytest.mark.parametrize(
    ("settles", "said"), [(True, "no compliance check was made"), (False, "it did not settle")]
)
def test_a_market_that_does_not_ask_the_registry_is_found_out(settles, said):
    with pytest.raises(ResultFailed, match=said):
        require_compliance(CarelessMarket(settles=settles), 0)


def bench(monkeypatch, capsys, rows, *args: str) -> tuple[int, str, str]:
    monkeypatch.setattr("rwa_sim.bench.rows.ROWS", tuple(rows))
    monkeypatch.setattr(sys, "argv", ["rwa-sim", "bench", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return ended.value.code or 0, printed.out, printed.err


def test_a_missed_target_is_shown_and_no_error(monkeypatch, capsys, tmp_path):
    missed = row(values=(1.0,) * 5, target=Target(of=Of.VALUE, at_least=2.0))
    monkeypatch.chdir(tmp_path)

    code, out, err = bench(monkeypatch, capsys, [missed], "--out", "out")

    assert (code, err) == (0, "")
    assert "missed" in out and ">= 2 DvP/s" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bench.json", "bench.md", "bench.html"}
    (line,) = (tmp_path / "results" / "bench.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["rows"]["row"]["met"] is False


def test_a_row_that_fails_is_exit_1_with_everything_written(monkeypatch, capsys, tmp_path):
    rows = [row("good", (3.0,)), row("bad", fail_at=1)]
    arguments = ("--out", str(tmp_path / "out"), "--log", str(tmp_path / "log"), "--rounds", "1", "--json")

    code, out, err = bench(monkeypatch, capsys, rows, *arguments)

    assert (code, err) == (1, "rwa-sim: bench: bad: it did not settle\n")
    document = json.loads(out)
    assert document == json.loads((tmp_path / "out" / "bench.json").read_text("utf-8"))
    assert [entry["status"] for entry in document["rows"]] == ["measured", "failed"]
    assert document["rows"][0]["value"] == {"low": 3.0, "median": 3.0, "high": 3.0}
    assert (tmp_path / "log").exists()


def test_named_rows_only_are_measured(monkeypatch, capsys, tmp_path):
    calls = []
    rows = [row(key, calls=calls, most_rounds=1) for key in "abc"]

    code, _, _ = bench(
        monkeypatch, capsys, rows, "--out", str(tmp_path / "o"), "--log", str(tmp_path / "l"), "--rows", "c,a"
    )

    assert (code, calls) == (0, [("a", 1), ("c", 1)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rows", "nothing"), "bench: --rows: expected one of row, got 'nothing'"),
        (("--rows", ""), "bench: --rows: expected one of row, got ''"),
        (("--log", "."), "--log: expected a file, got a folder"),
        (("--out", "full"), "expected a new folder, an empty one, or one of an earlier output"),
    ],
)
def test_bad_input_is_one_line_exit_2_and_nothing_is_measured(monkeypatch, capsys, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine", "utf-8")
    calls = []

    code, out, err = bench(monkeypatch, capsys, [row(calls=calls)], "--out", "out", *arguments)

    assert (code, out, calls) == (2, "", [])
    assert said in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
