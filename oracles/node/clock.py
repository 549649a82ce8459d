"""What time it is: the real clock, or a simulated one that every process computes alike.

A simulated clock is a straight line through one pair (wall, simulated) at `speed` simulated seconds for a
real one. The pair's real half is in a file that appears when the clock is let go; until then it stands at
its start. No process is asked for the time, so none can be missed: a process that was killed comes back
to the same time as the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rwa_sim.files import write_text_atomically

MS = 1_000
_STANDING_S = 0.05  # how often a clock that stands is looked at


class SimulatedClock:
    """UTC seconds of the simulation: `start_s` until it is let go, then `speed` times as fast as real time.

    Args:
        start_s: simulated instant at which it begins.
        speed: simulated seconds in a real one.
        file: holds the real instant at which it was let go, in milliseconds; absent while it stands.
        now_ms: the real clock.
    """

    def __init__(
        self,
        *,
        start_s: int,
        speed: int,
        file: Path,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self.start_s, self.speed, self._file, self._now_ms = start_s, speed, file, now_ms
        self._wall_ms: int | None = None

    def let_go(self) -> None:
        """Start the clock, for every process that has its file."""
        write_text_atomically(self._file, str(self._now_ms()))

    def __call__(self) -> int:
        """Simulated UTC seconds now."""
        wall_ms = self._origin_ms()
        if wall_ms is None:
            return self.start_s
        return self.start_s + max(0, self._now_ms() - wall_ms) * self.speed // MS

    def wait_s(self, at_s: int) -> float:
        """Real seconds until a simulated instant, as far as that is known; 0 if it is over."""
        wall_ms = self._origin_ms()
        if wall_ms is None:
            return _STANDING_S
        return max(0.0, ((at_s - self.start_s) * MS / self.speed + wall_ms - self._now_ms()) / MS)

    def _origin_ms(self) -> int | None:
        if self._wall_ms is None and self._file.exists():
            self._wall_ms = int(self._file.read_text("ascii"))
        return self._wall_ms


def real_clock() -> int:
    """UTC seconds now."""
    return int(time.time())
