"""What two parties sign about a meter that was wrong, worked out from what it said and what was true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oracles.correction import MeterCorrection
from oracles.schema import MeterReading
from rwa_sim.errors import InputError


def correction_of(
    said: Iterable[MeterReading],
    truth_wh: Mapping[int, int],
    *,
    start_s: int,
    end_s: int,
    reason: str,
    goes_on: bool = False,
) -> MeterCorrection:
    """The record that withdraws the readings of (start, end], with the true register at the last of them.

    Args:
        said: what the meter sent.
        truth_wh: the true register by instant, what a reference meter beside it shows.
        goes_on: the meter shows its false value still, and counts on from it.

    Raises:
        InputError: it sent nothing in that time.
    """
    withdrawn = [reading for reading in said if start_s < reading.read_at_s <= end_s]
    if not withdrawn:
        raise InputError(
            where="correction",
            key="start_s, end_s",
            expected="a time with readings",
            got=f"{start_s}, {end_s}",
        )
    last = max(withdrawn, key=lambda reading: reading.seq)
    return MeterCorrection(
        meter_id=last.meter_id,
        from_seq=min(reading.seq for reading in withdrawn),
        to_seq=last.seq,
        at_s=last.read_at_s,
        register_wh=truth_wh[last.read_at_s],
        reason=reason,
        shown_wh=last.register_wh if goes_on else None,
    )
