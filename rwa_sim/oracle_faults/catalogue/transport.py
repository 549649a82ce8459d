"""Faults of the way from the device to the node: what comes twice, late, changed, or not at all."""

from __future__ import annotations

from oracles.faults import readings as streams
from oracles.guard import DAY_S
from rwa_sim.oracle_faults.catalogue.case import Case, reading_case
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.setup import NEIGHBOUR


def transport_cases(series: Series, at_s: int) -> list[Case]:
    """Cases of the classes whose point is the transport, and of readings with a high s."""
    _, start_s, end_s, _ = series.boundaries_s
    case, until_s = reading_case, end_s + 20 * DAY_S
    return [
        case(11, "a", "20 % come two or three times", streams.repeated, percent=20),
        case(13, "a", "each half day shuffled", streams.shuffled, window=DAY_S // 2 // series.interval_s),
        case(
            14, "a", "three days, before the close", streams.late, start_s=end_s - 3 * DAY_S, end_s=end_s,
            delivered_s=end_s + DAY_S // 2,
        ),
        case(
            14, "b", "three days, ten days after the close", streams.late, start_s=end_s - 3 * DAY_S,
            end_s=end_s, delivered_s=end_s + 10 * DAY_S,
        ),
        case(
            14, "c", "one day, ten days after the close", streams.late, start_s=end_s - DAY_S, end_s=end_s,
            delivered_s=end_s + 10 * DAY_S,
        ),
        case(15, "a", "3 % of all", streams.lost, percent=3, start_s=0, end_s=until_s),
        case(15, "b", "30 % of a month", streams.lost, percent=30, start_s=start_s, end_s=end_s),
        case(15, "c", "everything for the rest of the month", streams.lost, percent=100, start_s=at_s, end_s=end_s),
        case(15, "d", "the last day of the month", streams.lost, percent=100, start_s=end_s - DAY_S, end_s=end_s),
        case(17, "a", "2 % changed on the way", streams.tampered, percent=2),
        case(18, "a", "2 % of the readings with a high s", streams.mirrored, percent=2),
        case(20, "a", "another plant's name for a day", streams.renamed, start_s=at_s, end_s=at_s + DAY_S,
             meter_id=NEIGHBOUR),
    ]  # fmt: skip
