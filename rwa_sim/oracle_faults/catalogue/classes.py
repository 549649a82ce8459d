"""The 32 classes of oracle fault, in the numbers and names of the project's fault taxonomy.

Every class lies at one point of the path.

Source: design reference for oracles, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

POINTS = ("device", "transport", "adapter", "signer", "chain", "bank")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultClass:
    """One row of the taxonomy."""

    number: int
    name: str
    point: str
    answer: str  # what the path does about it


def _class(number: int, name: str, point: str, answer: str) -> FaultClass:
    return FaultClass(number=number, name=name, point=point, answer=answer)


CLASSES = (
    _class(1, "stuck sensor", "device", "no rise, no pay; the catch-up counts if physics and sky allow it"),
    _class(2, "spike up", "device", "quarantined: beyond nameplate, or contradicted by what follows"),
    _class(3, "zero at night", "device", "below the watermark: ignored, never a reset"),
    _class(4, "unit error", "device", "quarantined and held as incomplete; a file is refused"),
    _class(5, "scale factor torn", "adapter", "answer refused; the next register covers it"),
    _class(6, "rollover", "device", "unrolled if the registry declares the width; else a drop, and held"),
    _class(7, "meter exchange", "device", "counts with a record of two parties; else a drop, and held"),
    _class(8, "clock drift", "device", "ahead: refused; behind: held when the lag exceeds the bound"),
    _class(
        9,
        "summer time",
        "adapter",
        "labels read in the zone that the logger follows; a clock out of step with the sun: refused",
    ),
    _class(10, "date format", "adapter", "out of range: refused; a lost device clock: quarantined"),
    _class(11, "duplicate", "transport", "counts once"),
    _class(12, "conflicting duplicate", "device", "neither counts; both are kept as evidence"),
    _class(13, "out of order", "transport", "ordered by the device's own number"),
    _class(14, "late", "transport", "before the report: counts; after: the next register covers it"),
    _class(15, "missing", "transport", "register difference covers it; below completeness: held"),
    _class(16, "imputed value", "device", "substitutes pay nothing"),
    _class(17, "tampered payload", "transport", "signature over the raw bytes fails"),
    _class(18, "malleable or foreign signature", "chain", "refused, each by its own error"),
    _class(19, "replayed report", "chain", "refused: the period has its report"),
    _class(20, "wrong plant", "transport", "key, name and asset are bound in the registry"),
    _class(21, "at most f signers lie", "signer", "lower median unmoved; the deviation names the signer"),
    _class(
        22,
        "more than f signers collude",
        "signer",
        "disputed by one honest watcher, rejected; unwatched: bounds on chain, cash guard, ripcord",
    ),
    _class(
        23,
        "common-mode source",
        "device",
        "held by a second meter; without one bounded by nameplate and clear sky",
    ),
    _class(
        24,
        "signers offline",
        "signer",
        "f: no effect; beyond: halt, and go on when they are back or replaced",
    ),
    _class(
        25,
        "equivocating signer",
        "signer",
        "refused by the node; with two signatures shown, removed on chain",
    ),
    _class(26, "transmitter withholds", "chain", "anyone may transmit; what has expired is signed anew"),
    _class(27, "reorganisation", "chain", "the same report again pays once, and its window begins anew"),
    _class(
        28, "stale price or rate", "bank", "no conversion with an old quote, nor where two sources differ"
    ),
    _class(29, "negative price or delta", "bank", "signed arithmetic; a register may not fall"),
    _class(30, "bank statement", "bank", "booked and not reversed, each booking once"),
    _class(31, "rounding drift", "adapter", "exact decimals, one floor on the running total"),
    _class(
        32,
        "poisoned watermark",
        "device",
        "contradicted or beyond the sky: held; lowered by a record of two parties alone",
    ),
)
