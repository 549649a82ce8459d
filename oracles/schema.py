"""What moves between the stages. All integers: watt-hours, micro-dollars, UTC seconds.

MeterReading ─┐
              ├─► Observation (one node, one period) ─► Report ─► SignedReport
CashflowEvent ┘
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from oracles.hashing import leaf_hash

# How the stages' types read and write JSON where they cross a process: nothing unknown, nothing coerced.
BORDER = {"extra": "forbid", "strict": True, "ser_json_bytes": "hex", "val_json_bytes": "hex"}


class Quality(StrEnum):
    """How a register value came to be. A substitute is shown, and pays nothing."""

    MEASURED = "measured"
    SUBSTITUTE = "substitute"


class TimeSync(StrEnum):
    """State of the device clock. Source: OCMF, letters of field TM."""

    SYNCHRONISED = "S"
    INFORMATIVE = "I"
    RELATIVE = "R"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """One register value as the device signed it.

    `register_wh` is cumulative. `seq` is the device's own count, +1 each reading.
    `raw` holds the signed bytes; `signature` is r || s || v over sha256(raw).
    `leaf` is this reading's leaf in the period's Merkle tree, a hash of raw || signature.
    """

    meter_id: str
    obis: str
    seq: int
    read_at_s: int
    received_at_s: int
    register_wh: int
    quality: Quality
    time_sync: TimeSync
    raw: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    leaf: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaf", leaf_hash(self.raw + self.signature))


class EntryKind(StrEnum):
    """Direction of a bank entry. Source: ISO 20022 CdtDbtInd."""

    CREDIT = "credit"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True, kw_only=True)
class CashflowEvent:
    """One booked entry of the collection account.

    `amount_usd6` is never negative; `kind` gives the direction and `reversal` says that the
    entry takes an earlier one back. `period_id` names the period the cash was earned in;
    None assigns it to the period it was booked in.
    """

    __pydantic_config__ = BORDER

    account: str
    entry_ref: str
    statement_seq: int
    amount_usd6: int
    booked_at_s: int
    kind: EntryKind = EntryKind.CREDIT
    reversal: bool = False
    period_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one node saw of one period, for one revision of its report. Both values are cumulative
    since the asset began."""

    __pydantic_config__ = BORDER

    asset_id: bytes
    period_id: int
    revision: int
    register_wh: int
    credited_usd6: int
    completeness_bps: int
    readings_root: bytes
    observer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedObservation:
    """An observation its observer cannot deny; 65-byte signature of its EIP-712 digest."""

    __pydantic_config__ = BORDER

    observation: Observation
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One period of one asset, field for field as the chain sees it.

    `revision` is 0 for the first report of a period; a later one takes the earlier one's place.
    `registers_wh` and `credited_usd6` are the observers' cumulative values, each sorted
    ascending; the accepted value of each is its lower median.
    """

    __pydantic_config__ = BORDER

    config_digest: bytes
    asset_id: bytes
    period_id: int
    revision: int
    period_start: int
    period_end: int
    observed_at: int
    expires_at: int
    completeness_bps: int
    readings_root: bytes
    registers_wh: tuple[int, ...]
    credited_usd6: tuple[int, ...]

    @property
    def register_wh(self) -> int:
        """Accepted cumulative register, Wh."""
        return lower_median(self.registers_wh)

    @property
    def cumulative_credited_usd6(self) -> int:
        """Accepted cumulative cash credited to the collection account, micro-dollars."""
        return lower_median(self.credited_usd6)

    def to_abi(self) -> tuple[Any, ...]:
        """The fields in the order of the Solidity struct, arrays as lists."""
        return (
            self.config_digest,
            self.asset_id,
            self.period_id,
            self.revision,
            self.period_start,
            self.period_end,
            self.observed_at,
            self.expires_at,
            self.completeness_bps,
            self.readings_root,
            list(self.registers_wh),
            list(self.credited_usd6),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """A report ready for the chain; signatures are ordered by ascending signer address."""

    __pydantic_config__ = BORDER

    report: Report
    signatures: tuple[bytes, ...]


def lower_median(ascending: tuple[int, ...]) -> int:
    """The middle value, the smaller of the two middles if there are two: bias towards not paying."""
    return ascending[(len(ascending) - 1) // 2]
