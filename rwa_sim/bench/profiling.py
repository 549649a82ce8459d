"""Where the time of some work goes, as text for the page of a missed target."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

SHOWN = 15


def profiled(work: Callable[[], object]) -> str:
    """The functions with the most time of their own while `work` runs, with their share of the whole."""
    profile = cProfile.Profile()
    profile.runcall(work)
    stats = pstats.Stats(profile).get_stats_profile()
    heaviest = sorted(stats.func_profiles.items(), key=lambda item: -item[1].tottime)[:SHOWN]
    lines = [
        f"{100 * entry.tottime / stats.total_tt:5.1f} %  {entry.ncalls:>10} calls  "
        f"{_place(entry.file_name, entry.line_number)}{name}"
        for name, entry in heaviest
    ]
    return "\n".join([f"own time of functions, {stats.total_tt:.2f} s under the profiler", *lines])


def _place(file: str, line: int) -> str:
    return "" if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} "
