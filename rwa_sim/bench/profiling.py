"""Where the time of some work goes, as text for the page of a missed target."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType

SHOWN = 15


def profiled(work: Callable[[], object]) -> str:
    """The functions with the most time of their own while `work` runs, with their share of the whole."""
    profile = cProfile.Profile()
    profile.runcall(work)
    entries = profile.getstats()  # by place, so that functions of one name stay apart
    total_s = sum(entry.inlinetime for entry in entries)
    heaviest = sorted(entries, key=lambda entry: -entry.inlinetime)[:SHOWN]
    lines = [
        f"{100 * entry.inlinetime / total_s:5.1f} %  {entry.callcount:>10} calls  {_name(entry.code)}"
        for entry in heaviest
    ]
    return "\n".join([f"own time of functions, {total_s:.2f} s under the profiler", *lines])


def _name(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_firstlineno} {code.co_name}"
