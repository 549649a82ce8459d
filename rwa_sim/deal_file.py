"""Deal files: one TOML document with the terms of a deal, opening balances, and what each period brought.

    file --load_deal--> Deal: terms, opening state, (report, pool) of each period

Money and rates are text ("0.095"), so that no float is ever parsed; dates are TOML dates. Unknown keys are
refused. The format is described in docs/deal-files.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rwa_sim.documents import Amount, Name, Rate, Section, read_document, wad_of
from rwa_sim.domain.money import usd6_from_decimal
from rwa_sim.domain.tranches import (
    Basis,
    ClassState,
    ClassTerms,
    DealState,
    DealTerms,
    PeriodReport,
    PoolReport,
    Step,
    StepKind,
    Trigger,
    opening_state,
    validate_deal,
)
from rwa_sim.errors import DataMissing, InputError, UnknownName

DAY_S = 86_400
Day = Annotated[date, Field(ge=date(1970, 1, 2), le=date(2199, 12, 31))]
Number = Annotated[int, Field(ge=0, le=10**12)]
Bps = Annotated[int, Field(ge=0, le=10**6)]


class DealSection(Section):
    """Triggers, default and final terms."""

    period_count: Number
    maturity: Day
    trigger: Trigger = Field(Trigger.CREDIT, strict=False)
    threshold_usd: Amount = Decimal("0.000001")
    threshold_kwh: Number = 0
    min_oc_bps: Bps = 0
    max_delinquency_bps: Bps = 0
    min_dscr_bps: Bps = 0
    latched: bool = False
    cure_window_days: Annotated[int, Field(ge=0, le=36_525)] = 0
    accelerate_on_default: bool = False


class ClassSection(Section):
    """One class of notes; the file lists them senior first."""

    name: Name
    original_usd: Amount
    rate: Rate
    default_rate: Rate = Decimal(0)
    day_count: str = "30/360.BondBasis"
    frequency: Number = 12
    principal_start: Number | None = None  # the last instalment falls in the last period
    principal_periods: Number = 1


class StepSection(Section):
    """One step; the file lists them in order of payment."""

    kind: StepKind = Field(strict=False)
    payee: Name | None = None
    classes: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    rate: Rate = Decimal(0)
    fixed_usd: Amount = Decimal(0)
    basis: Basis = Field(Basis.NOTES, strict=False)
    pro_rata: bool = False
    to_pool: bool = False
    bps: Bps = 0
    reserve: bool = False


class ClassBalance(Section):
    """Where a class stands before the first period of the file."""

    name: Name
    outstanding_usd: Amount
    written_down_usd: Amount = Decimal(0)
    interest_owed_usd: Amount = Decimal(0)
    arrears_usd: Amount = Decimal(0)


class StateSection(Section):
    """Where the deal stands before the first period of the file."""

    period: Number = 0
    pool_usd: Amount = Decimal(0)
    reserve_usd: Amount = Decimal(0)
    available_usd: Amount = Decimal(0)
    hedge_owed_usd: Amount = Decimal(0)
    advances_usd: Amount = Decimal(0)
    arrears_since: Day | None = None
    defaulted: bool = False
    accelerated: bool = False
    breach_latched: bool = False
    fees_owed_usd: dict[Name, Amount] = Field(default_factory=dict)
    classes: Annotated[tuple[ClassBalance, ...], Field(alias="class", strict=False)] = ()


class PeriodSection(Section):
    """What one period brought."""

    start: Day
    end: Day
    collections_usd: Amount
    energy_kwh: Amount = Decimal(0)
    performing_usd: Amount = Decimal(0)
    delinquent_usd: Amount = Decimal(0)
    loss_usd: Amount = Decimal(0)
    hedge_due_usd: Amount = Decimal(0)
    advance_usd: Amount = Decimal(0)


class DealDocument(Section):
    """A whole deal file."""

    document: Literal["rwa-deal/1"] = Field(alias="schema")
    name: Name
    accounts: Annotated[list[Name], Field(min_length=1)]
    deal: DealSection
    classes: Annotated[list[ClassSection], Field(alias="class")]
    steps: Annotated[list[StepSection], Field(alias="step")]
    state: StateSection = StateSection()
    periods: Annotated[list[PeriodSection], Field(alias="period", min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A deal that is ready to run.

    Attributes:
        name: of the deal.
        terms: accepted by `validate_deal`.
        opening: before the first period.
        periods: report and pool of each period in order.
    """

    name: str
    terms: DealTerms
    opening: DealState
    periods: tuple[tuple[PeriodReport, PoolReport], ...]


def load_deal(path: Path) -> Deal:
    """Read and check a deal file.

    Raises:
        DataMissing: there is no such file.
        InputError: the document is not what a deal must be; names file and key, rows counted from 0.
    """
    if not path.is_file():
        raise DataMissing(where="waterfall", key="DEAL", path=str(path))
    document, _ = read_document(path, DealDocument)
    return to_deal(document, str(path))


def to_deal(document: DealDocument, where: str) -> Deal:
    """Turn a parsed document into terms, state and reports.

    Args:
        document: parsed.
        where: its file, for the message.

    Raises:
        InputError: what `validate_deal` refuses; an account or class that is not listed; opening balances
            or periods that contradict themselves.
    """
    terms = _terms(document, where)
    try:
        validate_deal(terms, where)
    except UnknownName:
        raise
    except InputError as fault:
        raise InputError(
            where=where, key=_key_in_file(fault.key, terms.trigger), expected=fault.expected, got=fault.got
        ) from None
    opening = _opening(document, terms, where)
    return Deal(
        name=document.name,
        terms=terms,
        opening=opening,
        periods=_periods(document.periods, opening.period_id, where),
    )


def _terms(document: DealDocument, where: str) -> DealTerms:
    deal = document.deal
    names = [c.name for c in document.classes]
    return DealTerms(
        classes=tuple(
            ClassTerms(
                name=c.name,
                original_usd6=usd6_from_decimal(c.original_usd),
                rate_wad=wad_of(c.rate),
                default_rate_wad=wad_of(c.default_rate),
                day_count=c.day_count,
                frequency=c.frequency,
                principal_start=_principal_start(c, deal.period_count),
                principal_periods=c.principal_periods,
            )
            for c in document.classes
        ),
        steps=tuple(
            to_step(step, names, document.accounts, f"step.{index}", where)
            for index, step in enumerate(document.steps)
        ),
        trigger=deal.trigger,
        threshold=_threshold(deal),
        period_count=deal.period_count,
        maturity_s=_second(deal.maturity),
        min_oc_bps=deal.min_oc_bps,
        max_delinquency_bps=deal.max_delinquency_bps,
        min_dscr_bps=deal.min_dscr_bps,
        latched=deal.latched,
        cure_window_s=deal.cure_window_days * DAY_S,
        accelerate_on_default=deal.accelerate_on_default,
    )


def _threshold(deal: DealSection) -> int:
    """In the trigger's unit: Wh or micro-dollars; a schedule has none."""
    match deal.trigger:
        case Trigger.ENERGY:
            return deal.threshold_kwh * 1000
        case Trigger.CREDIT:
            return usd6_from_decimal(deal.threshold_usd)
        case Trigger.SCHEDULE:
            return 0


def _principal_start(c: ClassSection, period_count: int) -> int:
    if c.principal_start is not None:
        return c.principal_start
    return max(1, period_count - c.principal_periods + 1)


def _key_in_file(key: str, trigger: Trigger) -> str:
    """The file's name of a field of the terms."""
    if key == "threshold":
        return "deal.threshold_kwh" if trigger is Trigger.ENERGY else "deal.threshold_usd"
    table = "" if key.partition(".")[0] in ("class", "step") else "deal."
    return table + key.removesuffix("_wad").replace("_usd6", "_usd")


def to_step(
    step: StepSection, names: Sequence[str], accounts: Sequence[str] | None, key: str, where: str
) -> Step:
    """A step of the order of payment; payees are held against `accounts` if there is a list.

    Raises:
        UnknownName: a class or an account that is not listed.
    """
    if accounts is not None and step.payee is not None and step.payee not in accounts:
        raise UnknownName(where=where, key=f"{key}.payee", got=step.payee, known=accounts)
    return Step(
        kind=step.kind,
        payee=step.payee or "",
        classes=tuple(_place(name, names, f"{key}.classes", where) for name in step.classes),
        rate_wad=wad_of(step.rate),
        fixed_usd6=usd6_from_decimal(step.fixed_usd),
        basis=step.basis,
        pro_rata=step.pro_rata,
        to_pool=step.to_pool,
        bps=step.bps,
        reserve=step.reserve,
    )


def _place(name: str, names: Sequence[str], key: str, where: str) -> int:
    if name not in names:
        raise UnknownName(where=where, key=key, got=name, known=names)
    return names.index(name)


def _opening(document: DealDocument, terms: DealTerms, where: str) -> DealState:
    section, start = document.state, opening_state(terms)
    classes, names = list(start.classes), [c.name for c in terms.classes]
    for index, balance in enumerate(section.classes):
        key = f"state.class.{index}"
        place = _place(balance.name, names, f"{key}.name", where)
        if balance.name in [other.name for other in section.classes[:index]]:
            raise InputError(
                where=where, key=f"{key}.name", expected="each class once", got=repr(balance.name)
            )
        classes[place] = _balance(balance, terms.classes[place], key, where)
    return DealState(
        classes=tuple(classes),
        fees_owed_usd6=_fees_owed(section, terms, where),
        period_id=section.period,
        hedge_owed_usd6=usd6_from_decimal(section.hedge_owed_usd),
        advances_usd6=usd6_from_decimal(section.advances_usd),
        advance_available_usd6=usd6_from_decimal(section.available_usd),
        reserve_usd6=usd6_from_decimal(section.reserve_usd),
        pool_usd6=usd6_from_decimal(section.pool_usd),
        arrears_since_s=_second(section.arrears_since) if section.arrears_since else 0,
        defaulted=section.defaulted,
        accelerated=section.accelerated,
        breach_latched=section.breach_latched,
    )


def _balance(balance: ClassBalance, terms: ClassTerms, key: str, where: str) -> ClassState:
    outstanding_usd6 = usd6_from_decimal(balance.outstanding_usd)
    written_down_usd6 = usd6_from_decimal(balance.written_down_usd)
    paid_usd6 = terms.original_usd6 - outstanding_usd6 - written_down_usd6
    if paid_usd6 < 0:
        raise InputError(
            where=where,
            key=f"{key}.outstanding_usd",
            expected="with written_down_usd at most the original",
            got=str(balance.outstanding_usd),
        )
    if balance.arrears_usd > balance.interest_owed_usd:
        raise InputError(
            where=where,
            key=f"{key}.arrears_usd",
            expected="at most interest_owed_usd, which includes it",
            got=str(balance.arrears_usd),
        )
    return ClassState(
        outstanding_usd6=outstanding_usd6,
        principal_paid_usd6=paid_usd6,
        written_down_usd6=written_down_usd6,
        interest_owed_usd6=usd6_from_decimal(balance.interest_owed_usd),
        arrears_usd6=usd6_from_decimal(balance.arrears_usd),
    )


def _fees_owed(section: StateSection, terms: DealTerms, where: str) -> tuple[int, ...]:
    owed_usd6 = [0] * len(terms.steps)
    for payee, amount in section.fees_owed_usd.items():
        places = [i for i, s in enumerate(terms.steps) if s.kind is StepKind.FEE and s.payee == payee]
        if len(places) != 1:
            raise InputError(
                where=where,
                key=f"state.fees_owed_usd.{payee}",
                expected="a payee of one fee step",
                got=f"{len(places)} fee steps",
            )
        owed_usd6[places[0]] = usd6_from_decimal(amount)
    return tuple(owed_usd6)


def _periods(
    rows: Sequence[PeriodSection], period_id: int, where: str
) -> tuple[tuple[PeriodReport, PoolReport], ...]:
    periods = []
    credited_usd6, register_wh, last_end = 0, Fraction(0), rows[0].start
    for index, row in enumerate(rows):
        if row.start != last_end:
            raise InputError(
                where=where,
                key=f"period.{index}.start",
                expected=f"the end of the period before, {last_end}",
                got=str(row.start),
            )
        if row.end <= row.start:
            raise InputError(
                where=where,
                key=f"period.{index}.end",
                expected=f"a day after {row.start}",
                got=str(row.end),
            )
        credited_usd6 += usd6_from_decimal(row.collections_usd)
        register_wh += Fraction(row.energy_kwh) * 1000
        last_end = row.end
        report = PeriodReport(
            period_id=period_id + index + 1,
            period_start_s=_second(row.start),
            period_end_s=_second(row.end),
            register_wh=int(register_wh),
            credited_usd6=credited_usd6,
        )
        pool = PoolReport(
            performing_usd6=usd6_from_decimal(row.performing_usd),
            delinquent_usd6=usd6_from_decimal(row.delinquent_usd),
            loss_usd6=usd6_from_decimal(row.loss_usd),
            hedge_due_usd6=usd6_from_decimal(row.hedge_due_usd),
            advance_usd6=usd6_from_decimal(row.advance_usd),
        )
        periods.append((report, pool))
    return tuple(periods)


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
