"""What an adapter found in its source and did about it, for the reader of the results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterNotes:
    """Counts of one replay. Rows are of the whole file; everything below them of the slice used.

    `gap_count` counts expected intervals without a value, empty or absent; `longest_gap_count` is
    the longest run of them. `shifted_count` counts rows whose label named another instant than
    the corrected clock does. `over_nameplate_count` counts values that physics excludes; they
    became gaps. `clamped_count` counts small negative values taken as 0, `lowest` is the smallest.
    """

    source: str
    value_kind: str
    unit: str
    clock: str
    row_count: int
    shifted_count: int
    missing_hour_count: int
    doubled_hour_count: int
    out_of_order_count: int
    duplicate_count: int
    reading_count: int
    expected_count: int
    gap_count: int
    longest_gap_count: int
    interval_s: int
    clamped_count: int
    lowest: str
    over_nameplate_count: int
    energy_wh: int

    def lines(self) -> tuple[str, ...]:
        """One sentence per finding; the first two are always there."""
        longest_s = self.longest_gap_count * self.interval_s
        sentences = [
            (True, f"{self.source}: {self.row_count} rows, {self.value_kind} in {self.unit}"),
            (
                True,
                f"{self.reading_count} of {self.expected_count} intervals have a value,"
                f" {self.energy_wh} Wh in all",
            ),
            (
                self.gap_count,
                f"{self.gap_count} intervals are missing (longest run {self.longest_gap_count},"
                f" {longest_s / 3600:g} h): no energy counted, completeness falls",
            ),
            (
                self.shifted_count,
                f"clock {self.clock}: {self.shifted_count} labels moved to their true instant",
            ),
            (
                self.missing_hour_count,
                f"{self.missing_hour_count} empty rows in an hour that the clock change left out: dropped",
            ),
            (
                self.doubled_hour_count,
                f"{self.doubled_hour_count} rows in an hour that comes twice: first pass before the change",
            ),
            (self.out_of_order_count, f"{self.out_of_order_count} rows out of order: sorted"),
            (self.duplicate_count, f"{self.duplicate_count} repeated rows: counted once"),
            (
                self.clamped_count,
                f"{self.clamped_count} small negative values (lowest {self.lowest} {self.unit}): taken as 0",
            ),
            (
                self.over_nameplate_count,
                f"{self.over_nameplate_count} values beyond nameplate: treated as missing",
            ),
        ]
        return tuple(text for applies, text in sentences if applies)
