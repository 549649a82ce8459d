"""Study files: one TOML document that says which worlds are compared, on which market, with how many seeds.

    file or built-in name ──load_study──► LoadedStudy

Shares and probabilities are text ("0.03"), money is text in dollars, as in scenario files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rwa_sim.documents import Amount, Name, Rate, Section, find_document, read_document
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.errors import InputError, UnknownName
from rwa_sim.rails.market import MarketTerms
from rwa_sim.study.names import WorldFile, find_world

SCHEMA = "rwa-sim/study/1"
BUILT_IN = (Path(__file__).parents[1] / "studies", Path(__file__).parents[2] / "studies")
Signed = Annotated[str, Field(pattern=r"^-?0(\.\d{1,6})?$")]
Bps = Annotated[int, Field(ge=0, le=10_000)]


class MarketSection(Section):
    """The market that is drawn. See `rwa_sim.rails.market.MarketTerms`."""

    first_day: date
    days: Annotated[int, Field(ge=1, le=2_600)]
    participants: Annotated[int, Field(ge=2, le=1_000)] = 20
    trades_per_day: Annotated[int, Field(ge=1, le=100_000)] = 200
    size_median_usd: Amount = Decimal(1_000_000)
    size_cv: Annotated[str, Field(pattern=r"^\d{1,2}(\.\d{1,6})?$")] = "1.3"
    imbalance: Signed = "0"
    short_sale_share: Rate = Decimal("0.03")
    unfunded_share: Rate = Decimal("0.01")
    office_hours_share: Rate = Decimal("0.8")
    price_spread_bps: Bps = 20
    inventory_days: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,6})?$")] = "2"
    cash_days: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,6})?$")] = "2"

    def terms(self) -> MarketTerms:
        """As the generator takes it."""
        return MarketTerms(
            first_day=self.first_day,
            days=self.days,
            participants=self.participants,
            trades_per_day=self.trades_per_day,
            size_median_usd6=usd6_from_decimal(self.size_median_usd),
            size_cv=float(self.size_cv),
            imbalance=float(self.imbalance),
            short_sale_share=float(self.short_sale_share),
            unfunded_share=float(self.unfunded_share),
            office_hours_share=float(self.office_hours_share),
            price_spread_bps=self.price_spread_bps,
            inventory_days=float(self.inventory_days),
            cash_days=float(self.cash_days),
        )


class InstrumentSection(Section):
    """An instrument of the user's own tape."""

    name: Name
    issue: datetime

    @model_validator(mode="after")
    def _issue_is_utc(self) -> InstrumentSection:
        if self.issue.tzinfo is None or self.issue.utcoffset() != UTC.utcoffset(None):
            raise ValueError("key `issue` in UTC, such as 2025-01-01T00:00:00Z")
        return self


class TapeSection(Section):
    """The user's own tape and holdings, CSV beside the study file (docs/trade-tape.md)."""

    file: Annotated[str, Field(min_length=1, max_length=400)]
    holdings: Annotated[str, Field(min_length=1, max_length=400)]
    instruments: Annotated[
        tuple[InstrumentSection, ...], Field(alias="instrument", min_length=1, max_length=64, strict=False)
    ]


class FailsSection(Section):
    """Which engine makes the conventional rails fail: one of the two, or fails would be counted twice."""

    mechanical: bool = True
    statistical: bool = False

    @model_validator(mode="after")
    def _one_engine(self) -> FailsSection:
        if self.mechanical == self.statistical:
            both = "not both" if self.mechanical else "not neither"
            raise ValueError(f"one of `mechanical` and `statistical` true, {both}")
        return self


class CostSection(Section):
    """What exposure and costs are priced with, and the issue they are spread over."""

    price_volatility_bps: Bps = 500
    funding_spread_bps: Bps = 100
    eligible_yield_bps: Bps = 350
    notional_usd: Amount = Decimal(100_000_000)


class CouponSection(Section):
    """Whose coupons are compared: the cash flow and waterfall of a scenario, without its chain."""

    scenario: Annotated[str, Field(min_length=1, max_length=400)] = "solar_demo"


class Study(Section):
    """A whole study, as its author wrote it. `worlds` are names, or files of one's own profiles; `profile.NAME.KEY`
    replaces a value of a world's profile."""

    schema_: Annotated[Literal["rwa-sim/study/1"], Field(alias="schema")]
    name: Name
    title: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 30
    worlds: Annotated[tuple[str, ...], Field(min_length=1, max_length=24, strict=False)]
    reference: str
    market: MarketSection | None = None
    tape: TapeSection | None = None
    fails: FailsSection = FailsSection()
    cost: CostSection = CostSection()
    coupon: CouponSection = CouponSection()
    profile: Mapping[str, Mapping[str, Any]] = {}

    @model_validator(mode="after")
    def _market_or_tape(self) -> Study:
        if (self.market is None) == (self.tape is None):
            raise ValueError("one of the sections `market` and `tape`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStudy:
    """A study with where it came from."""

    study: Study
    path: Path
    sha256: str
    worlds: tuple[WorldFile, ...]

    def names(self, kind: str | None = None) -> tuple[str, ...]:
        """The worlds' names in the order of the study, of one kind if that is given."""
        return tuple(file.name for file in self.worlds if kind in (None, file.kind))


def load_study(name_or_path: str, changes: Mapping[str, Any] | None = None) -> LoadedStudy:
    """Read and check a study.

    Args:
        name_or_path: a TOML file, or the name of one that ships with the program.
        changes: values that replace the file's, by dotted key such as `market.days`.

    Raises:
        DataMissing: there is no such file and no such built-in study.
        InputError: the document is not what a study must be; names file and key.
        UnknownName: a world that no profile describes.
    """
    path = find_study(name_or_path)
    study, raw = read_document(path, Study, changes)
    worlds = _find_worlds(study, path)
    text = raw + repr(sorted((changes or {}).items())).encode() if changes else raw
    for file in worlds:
        text += file.path.read_bytes()
    return LoadedStudy(study=study, path=path, sha256=hashlib.sha256(text).hexdigest(), worlds=worlds)


def find_study(name_or_path: str) -> Path:
    """The file of that path or built-in name.

    Raises:
        DataMissing: there is none.
    """
    return find_document(name_or_path, BUILT_IN, "study")


def _find_worlds(study: Study, path: Path) -> tuple[WorldFile, ...]:
    files = tuple(find_world(entry, path.parent, str(path)) for entry in study.worlds)
    names = [file.name for file in files]
    if len(set(names)) != len(names):
        raise InputError(
            where=str(path), key="worlds", expected="each world once", got=", ".join(sorted(names))
        )
    for key, asked in (("reference", (study.reference,)), ("profile", tuple(study.profile))):
        for name in asked:
            if name not in names:
                raise UnknownName(where=str(path), key=key, got=name, known=names)
    return files
