"""What time it is: the real clock, or a simulated one that every process computes alike.

A simulated clock is a straight line through one pair (wall, simulated) at `speed` simulated seconds for a
real one. No process is asked for it, so none can be missed: a process that was killed comes back to the
same time as the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedClock:
    """UTC seconds of the simulation. At `wall_ms` it was `start_s`; it runs `speed` times as fast."""

    start_s: int
    wall_ms: int
    speed: int
    now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6

    def __call__(self) -> int:
        """Simulated UTC seconds now."""
        return self.start_s + max(0, self.now_ms() - self.wall_ms) * self.speed // MS

    def wait_s(self, at_s: int) -> float:
        """Real seconds until a simulated instant; 0 if it is over."""
        return max(0.0, ((at_s - self.start_s) * MS / self.speed + self.wall_ms - self.now_ms()) / MS)


def real_clock() -> int:
    """UTC seconds now."""
    return int(time.time())
