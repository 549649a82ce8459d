"""SunSpec: where a device keeps its energy register, and what its words say.

    "SunS" | model 1 (common) | model 101-103 inverter or 201-204 meter | ... | end
                                    └ energy acc32, its scale factor some words later

Source: SunSpec Information Model, models 101-103 (WH, WH_SF) and 201-204 (TotWhExp, TotWhImp,
TotWh_SF); types acc32 and sunssf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rwa_sim.errors import MalformedReading, UnknownName

MARKER = (0x5375, 0x6E53)  # "SunS"
BASES = (40_000, 50_000, 0)
END_MODEL = 0xFFFF
ACC32_BITS = 32
_NO_SCALE = 0x8000
_LARGEST_SCALE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPoint:
    """Offsets of an energy register and its scale factor from the model's first word, its id."""

    energy: int
    scale: int
    length: int

    @property
    def word_count(self) -> int:
        """Words to read at once: from the id to the scale factor."""
        return max(self.scale, self.energy + 1) + 1


_INVERTER = EnergyPoint(energy=24, scale=26, length=50)
_METER_EXPORT = EnergyPoint(energy=38, scale=54, length=105)
_METER_IMPORT = EnergyPoint(energy=46, scale=54, length=105)
POINTS = {
    **{(model, "2.8.0"): _INVERTER for model in (101, 102, 103)},
    **{(model, "2.8.0"): _METER_EXPORT for model in (201, 202, 203, 204)},
    **{(model, "1.8.0"): _METER_IMPORT for model in (201, 202, 203, 204)},
}


def energy_point(model: int, obis: str) -> EnergyPoint:
    """Where a model keeps a register.

    Raises:
        UnknownName: a model without that register.
    """
    point = POINTS.get((model, obis))
    if point is None:
        known = (f"{known} {code}" for known, code in POINTS)
        raise UnknownName(where="SunSpec", key="model", got=f"{model} {obis}", known=known)
    return point


def register_wh_down(
    words: Sequence[int], model: int, point: EnergyPoint, scale: int, *, where: str = "SunSpec"
) -> int:
    """The register in whole Wh, rounded down, from the words of one request.

    Args:
        words: from the model's id on.
        scale: the scale factor of the configuration; a device that says another one is not
            believed, because value and scale of different settings multiply to nonsense.

    Raises:
        MalformedReading: another model, too few words, or another scale factor.
    """
    if len(words) < point.word_count or words[0] != model:
        raise MalformedReading(
            where=where, key="model", expected=f"model {model}", got=str(words[0] if words else "nothing")
        )
    said = words[point.scale]
    if signed16(said) != scale or said == _NO_SCALE or abs(scale) > _LARGEST_SCALE:
        raise MalformedReading(where=where, key="scale factor", expected=str(scale), got=str(signed16(said)))
    count = words[point.energy] << 16 | words[point.energy + 1]
    return int(count * 10**scale) if scale >= 0 else count // int(10**-scale)


def signed16(word: int) -> int:
    """A 16-bit word as two's complement."""
    return word - 0x1_0000 if word & 0x8000 else word
