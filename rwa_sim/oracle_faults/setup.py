"""What a case changes on the path, and what its injectors may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from oracles.devices.trust_account import StatementLine
from oracles.faults.files import Row
from oracles.faults.nodes import Lie
from oracles.keys import SecretKey
from oracles.quotes import Quote
from oracles.schema import MeterReading, SignedReport
from rwa_sim.oracle_faults.series import Series

if TYPE_CHECKING:
    from rwa_sim.oracle_faults.world import World

METER, NEIGHBOUR, CHECK_METER = "PV-1", "PV-2", "GRID-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What an injector may use: the truth, the devices' keys, chance, and where the fault lies."""

    series: Series
    truth: tuple[MeterReading, ...]  # as the meter signs it
    key: SecretKey
    other_key: SecretKey
    check_key: SecretKey
    rng: Random
    fault_s: int


Readings = Iterable[MeterReading]
Invoice = Callable[["World", int], int]
Step = Callable[["World", SignedReport, int], bool]  # whether the report is final now


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A case: every hook that is not set leaves its stage as it is.

    Attributes:
        readings: changes what the device or the transport sends.
        rows: changes what a logger's file says; `file` are the options to read it with.
        is_commissioned: the file reaches over the whole record, and its clock is checked with it.
        words: changes what Modbus answers.
        check: what a second meter reads of the truth; None if there is none.
        meter: terms of the registry.
        lies: by number of the node.
        offline: names the nodes that are away in a turn.
        bank: changes the lines of a period's statement; `is_restated` delivers it three times.
        invoice: gives what is invoiced so far.
        quotes: the rates that the first of two sources gives, of a deal paid in euros.
        before_report: may send something else first.
        transmit: sends in its own way.
        is_watched: whether an honest node's watcher looks at open reports.
        prepare: acts on the whole world before it starts.
        between: acts after a turn, before the next.
        began_s: when the fault begins, where the stream does not show it.
    """

    readings: Callable[[Readings, Kit], Readings] | None = None
    rows: Callable[[Iterable[Row], Kit], Iterable[Row]] | None = None
    file: Mapping[str, Any] = field(default_factory=dict)
    is_commissioned: bool = False
    words: Callable[[Iterable[list[int]], Kit], Iterable[list[int]]] | None = None
    check: Callable[[Readings, Kit], Readings] | None = None
    meter: Mapping[str, Any] = field(default_factory=dict)
    lies: Mapping[int, Lie] = field(default_factory=dict)
    offline: Callable[[int], frozenset[int]] | None = None
    bank: Callable[[list[StatementLine], int], list[StatementLine]] | None = None
    is_restated: bool = False
    invoice: Invoice | None = None
    quotes: Callable[[list[Quote], Kit], list[Quote]] | None = None
    before_report: Callable[[World, SignedReport, int], None] | None = None
    transmit: Step | None = None
    is_watched: bool = True
    prepare: Callable[[World], None] | None = None
    between: Callable[[World, int], None] | None = None
    began_s: int | None = None

    @property
    def changes_readings(self) -> bool:
        """Whether the fault lies before the node, so that it begins with a reading."""
        return any(each is not None for each in (self.readings, self.words, self.rows))

    @property
    def first_register_wh(self) -> int:
        """Where the register stood at the issue."""
        return int(self.meter.get("initial_register_wh", 0))

    @property
    def is_explained(self) -> bool:
        """Whether the nodes know what the energy is worth: one tariff, in the currency of the deal."""
        return self.invoice is None and self.quotes is None
