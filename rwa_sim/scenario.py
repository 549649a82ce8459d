"""Scenario files: one TOML document, checked key by key before anything starts.

    file or built-in name --load_scenario--> Scenario

Money is text in dollars ("0.095"), so that no float is ever parsed; everything else carries its unit in
the key. Unknown keys are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rwa_sim.deal_file import StepSection, to_step
from rwa_sim.documents import Amount, Name, Rate, Section, find_document, read_document, wad_of
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.domain.tranches import (
    ClassTerms,
    DealTerms,
    Trigger,
    validate_deal,
)
from rwa_sim.errors import DataMissing

BUILT_IN = (Path(__file__).parent / "scenarios", Path(__file__).parents[1] / "scenarios")
MAX_SECONDS = 4_102_444_800  # 2100-01-01
DATA_ENV = "RWA_SIM_DATA"
DAY_S = 86_400


Seconds = Annotated[int, Field(ge=0, le=366 * 86_400)]
Bps = Annotated[int, Field(ge=0, le=10_000)]


class AssetSection(Section):
    """The asset whose cash flow pays the bond."""

    id: Name
    meter: Name = "METER-1"
    nameplate_w: Annotated[int, Field(gt=0, le=10**12)]


class SourceSection(Section):
    """Where metered readings come from."""

    kind: Literal["replay", "pv_plant"]
    file: str = ""
    time_column: str = "time"
    value_column: str = "energy_wh"
    value_kind: Literal["power", "register", "interval_energy"] = "interval_energy"
    unit: Literal["W", "kW", "Wh", "kWh", "MWh"] = "Wh"
    interval_s: Annotated[int, Field(gt=0, le=86_400)] = 3600
    clock: Annotated[str, Field(max_length=64)] = "as_labelled"
    zone: Annotated[str, Field(max_length=64)] = ""
    label_at: Literal["start", "end"] = "start"
    repeat_years: Annotated[int, Field(ge=0, le=50)] = 0
    degradation_bps_per_year: Bps = 0
    kwp: Annotated[int, Field(gt=0, le=10**6)] = 1000

    @model_validator(mode="after")
    def _replay_names_a_file(self) -> SourceSection:
        if self.kind == "replay" and not self.file:
            raise ValueError("key `file` for a replay source")
        return self


class OfftakeSection(Section):
    """Who pays for the energy, how much and when."""

    tariff_usd_per_kwh: Amount
    payment_terms_days: Annotated[int, Field(ge=0, le=180)]


class BondSection(Section):
    """The issue as a whole. One interest period is one reporting period."""

    name: Name
    issue: datetime
    period_months: Literal[1, 3, 6, 12]
    periods: Annotated[int, Field(gt=0, le=600)]

    @model_validator(mode="after")
    def _dates_are_possible(self) -> BondSection:
        if self.issue.tzinfo is None or self.issue.utcoffset() != UTC.utcoffset(None):
            raise ValueError("key `issue` in UTC, such as 2021-01-01T00:00:00Z")
        if self.issue.day != 1 or self.issue.timestamp() < 0:
            raise ValueError("key `issue` on the first day of a month after 1970")
        if _add_months(self.issue, self.period_months * self.periods).timestamp() > MAX_SECONDS:
            raise ValueError("a maturity before 2100")
        return self

    @property
    def boundaries_s(self) -> tuple[int, ...]:
        """First second of each period, and the maturity."""
        return tuple(
            int(_add_months(self.issue, self.period_months * k).timestamp()) for k in range(self.periods + 1)
        )


class ClassSection(Section):
    """A class of notes, senior first. Principal is repaid in equal instalments; one of them is a bullet."""

    name: Name
    symbol: Annotated[str, Field(min_length=1, max_length=12, pattern=r"^[A-Z0-9-]+$")]
    units: Annotated[int, Field(gt=0, le=10**9)]
    face_usd: Amount
    rate: Rate
    default_rate: Rate = Decimal(0)
    day_count: str = "30/360.BondBasis"
    frequency: Annotated[int, Field(ge=1, le=12)] = 12
    principal_start: Annotated[int, Field(ge=1, le=600)] = 1
    principal_periods: Annotated[int, Field(ge=1, le=600)]

    @property
    def face_usd6(self) -> int:
        """Face value of one unit."""
        return usd6_from_decimal(self.face_usd)


THRESHOLD_KEY = {Trigger.ENERGY: "threshold_kwh", Trigger.CREDIT: "threshold_usd", Trigger.SCHEDULE: ""}


class WaterfallSection(Section):
    """Cash trigger (`energy`, `credit`, or `schedule`: every report distributes), breach triggers, default terms."""

    trigger: Trigger = Field(strict=False)
    threshold_kwh: Annotated[int, Field(ge=0, le=10**12)] = 0
    threshold_usd: Amount = Decimal(0)
    min_oc_bps: Annotated[int, Field(ge=0, le=10**6)] = 0
    max_delinquency_bps: Annotated[int, Field(ge=0, le=10**6)] = 0
    min_dscr_bps: Annotated[int, Field(ge=0, le=10**6)] = 0
    latched: bool = False
    cure_window_days: Annotated[int, Field(ge=0, le=3660)] = 0
    accelerate_on_default: bool = False

    @model_validator(mode="after")
    def _threshold_fits_the_trigger(self) -> WaterfallSection:
        wanted = THRESHOLD_KEY[self.trigger]
        if wanted and not getattr(self, wanted):
            raise ValueError(f"key `{wanted}` above zero for trigger `{self.trigger}`")
        for key in ("threshold_kwh", "threshold_usd"):
            if key != wanted and getattr(self, key):
                raise ValueError(f"no key `{key}` for trigger `{self.trigger}`")
        return self

    @property
    def threshold(self) -> int:
        """Threshold in the trigger's unit: Wh or micro-dollars; 0 for a schedule."""
        if self.trigger is Trigger.ENERGY:
            return self.threshold_kwh * 1000
        return usd6_from_decimal(self.threshold_usd)


class OracleSection(Section):
    """The signer nodes, and what holds a report back on chain."""

    nodes: Annotated[int, Field(ge=1, le=31)] = 4
    fault_tolerance: Annotated[int, Field(ge=0, le=10)] = 1
    quorum: Annotated[int, Field(ge=1, le=31)] = 3
    report_delay_s: Seconds = 900
    expiry_s: Seconds = 7 * 86_400
    challenge_window_s: Seconds = 0
    challenge_bond_usd: Amount = Decimal(1_000)
    min_completeness_bps: Bps = 0
    price_ceiling_usd_per_kwh: Amount = Decimal(0)

    @model_validator(mode="after")
    def _quorum_is_possible(self) -> OracleSection:
        if self.nodes <= 3 * self.fault_tolerance:
            raise ValueError(f"key `nodes` above 3 x fault_tolerance = {3 * self.fault_tolerance}")
        if not self.fault_tolerance < self.quorum <= self.nodes:
            raise ValueError(f"key `quorum` from {self.fault_tolerance + 1} to {self.nodes}")
        return self


class MarketSection(Section):
    """Participants and the trade tape."""

    participants: Annotated[int, Field(ge=2, le=200)]
    trades: Annotated[int, Field(ge=0, le=100_000)]
    cash_usd: Amount
    units_median: Annotated[int, Field(gt=0, le=10**6)]
    size_sigma: Rate = Decimal("0.8")
    price_spread_bps: Bps = 100
    short_sale_share: Rate = Decimal("0.03")
    office_hours_share: Rate = Decimal("0.7")
    price_volatility_bps: Bps = 500
    funding_spread_bps: Bps = 100
    eligible_yield_bps: Bps = 350


class TokenisedSection(Section):
    """Parameters of the on-chain rail."""

    block_s: Annotated[int, Field(ge=1, le=3600)] = 2
    finality_blocks: Annotated[int, Field(ge=1, le=256)] = 1
    affirm_delay_max_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    deadline_s: Seconds = 86_400
    retry_s: Annotated[int, Field(ge=60, le=86_400)] = 14_400
    on_ramp_s: Seconds = 600
    off_ramp_business_days: Annotated[int, Field(ge=0, le=10)] = 1
    off_ramp_calendar: Annotated[str, Field(min_length=1, max_length=200)] = "TARGET"
    record_lag_s: Seconds = 0
    prefund_s: Seconds = 86_400
    gas_price_gwei: Amount = Decimal(0)
    native_usd: Amount = Decimal(0)


class ConventionalSection(Section):
    """Named market profiles to run the same tape through.

    `rules_as_of` applies the rules in force on that day to every trade; without it each trade meets the
    rules of its own day. `fails` are drawn at published rates (`statistical`), or arise from what participants
    lack (`mechanical`).
    """

    profiles: Annotated[tuple[str, ...], Field(min_length=1, max_length=8, strict=False)]
    rules_as_of: date | None = None
    fails: Literal["statistical", "mechanical"] = "statistical"


class Scenario(Section):
    """A whole run, as its author wrote it."""

    schema_: Annotated[Literal["rwa-sim/1"], Field(alias="schema")]
    name: Name
    title: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    asset: AssetSection
    source: SourceSection
    offtake: OfftakeSection
    bond: BondSection
    classes: Annotated[
        tuple[ClassSection, ...], Field(alias="class", min_length=1, max_length=4, strict=False)
    ]
    waterfall: WaterfallSection
    steps: Annotated[tuple[StepSection, ...], Field(alias="step", min_length=1, max_length=16, strict=False)]
    oracle: OracleSection = OracleSection()
    market: MarketSection
    tokenised: TokenisedSection = TokenisedSection()
    conventional: ConventionalSection

    @property
    def original_usd6(self) -> int:
        """Principal at issue, all classes."""
        return sum(entry.units * entry.face_usd6 for entry in self.classes)

    def waterfall_terms(self, where: str) -> DealTerms:
        """The order of payment as the waterfall takes it.

        Raises:
            InputError: a step names what does not exist, or the deal contradicts itself; names the key.
        """
        names = [entry.name for entry in self.classes]
        terms = DealTerms(
            classes=tuple(_class_terms(entry) for entry in self.classes),
            steps=tuple(
                to_step(step, names, None, f"step.{place}", where) for place, step in enumerate(self.steps)
            ),
            trigger=self.waterfall.trigger,
            threshold=self.waterfall.threshold,
            period_count=self.bond.periods,
            maturity_s=self.bond.boundaries_s[-1],
            min_oc_bps=self.waterfall.min_oc_bps,
            max_delinquency_bps=self.waterfall.max_delinquency_bps,
            min_dscr_bps=self.waterfall.min_dscr_bps,
            latched=self.waterfall.latched,
            cure_window_s=self.waterfall.cure_window_days * DAY_S,
            accelerate_on_default=self.waterfall.accelerate_on_default,
        )
        validate_deal(terms, where)
        return terms


class LoadedScenario(Section):
    """A scenario with where it came from."""

    scenario: Scenario
    path: Path
    sha256: str

    @cached_property
    def waterfall(self) -> DealTerms:
        """The order of payment; checked when the scenario was loaded."""
        return self.scenario.waterfall_terms(str(self.path))

    def data_file(self) -> Path:
        """The source's data file.

        Raises:
            DataMissing: it is not beside the scenario, nor in a data folder.
        """
        named = self.scenario.source.file
        places = [self.path.parent, *data_folders()]
        for place in places:
            if (place / named).is_file():
                return place / named
        raise DataMissing(
            where=str(self.path), key="source.file", path=named, looked_in=[str(place) for place in places]
        )


def data_folders() -> list[Path]:
    """Folders that may hold measured series: `RWA_SIM_DATA`, else `../shared/data` from here."""
    named = os.environ.get(DATA_ENV)
    return [Path(named)] if named else [Path("../shared/data")]


def load_scenario(
    name_or_path: str, seed: int | None = None, changes: Mapping[str, Any] | None = None
) -> LoadedScenario:
    """Read and check a scenario.

    Args:
        name_or_path: a TOML file, or the name of one that ships with the program.
        seed: replaces the file's seed if given.
        changes: values that replace the file's, by dotted key such as `market.trades`.

    Raises:
        DataMissing: there is no such file and no such built-in scenario.
        InputError: the document is not what a scenario must be; names file and key.
    """
    path = find_scenario(name_or_path)
    replaced = dict(changes or {}) | ({} if seed is None else {"seed": seed})
    scenario, raw = read_document(path, Scenario, replaced)
    scenario.waterfall_terms(str(path))
    text = raw + repr(sorted(changes.items())).encode() if changes else raw
    return LoadedScenario(scenario=scenario, path=path, sha256=hashlib.sha256(text).hexdigest())


def built_in_names() -> list[str]:
    """Names of the scenarios that ship with the program."""
    return sorted({path.stem for folder in BUILT_IN for path in folder.glob("*.toml")})


def find_scenario(name_or_path: str) -> Path:
    """The file of that path or built-in name.

    Raises:
        DataMissing: there is none.
    """
    return find_document(name_or_path, BUILT_IN, "scenario")


def _class_terms(entry: ClassSection) -> ClassTerms:
    return ClassTerms(
        name=entry.name,
        original_usd6=entry.units * entry.face_usd6,
        rate_wad=wad_of(entry.rate),
        default_rate_wad=wad_of(entry.default_rate),
        day_count=entry.day_count,
        frequency=entry.frequency,
        principal_start=entry.principal_start,
        principal_periods=entry.principal_periods,
    )


def _add_months(start: datetime, months: int) -> datetime:
    years, month0 = divmod(start.month - 1 + months, 12)
    return start.replace(year=start.year + years, month=month0 + 1)
