"""The public ACTUS case format: terms as text in, events as text out.

    {case_id: {identifier, terms, to, dataObserved, eventsObserved}} --parse_case--> Case
    Case --cashflows--> events --case_results--> {identifier, results}

A term that is not in the tables below is refused by its name, so that no contract is
computed with half of its terms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from rwa_sim.domain.actus.engine import cashflows
from rwa_sim.domain.actus.events import CashflowEvent
from rwa_sim.domain.actus.fixed import WAD, text_from_wad, wad_from_text
from rwa_sim.domain.actus.observations import Observations
from rwa_sim.domain.actus.terms import ContractTerms, ContractType, FeeBasis, InterestBase
from rwa_sim.domain.calendar import business_calendar
from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.schedule import Cycle, business_day_rule, parse_cycle
from rwa_sim.errors import InputError, UnknownName

_T = TypeVar("_T")

ROLE_SIGNS: Mapping[str, int] = MappingProxyType(
    {
        "RPA": 1, "LG": 1, "BUY": 1, "RFL": 1, "COL": 1, "CNO": 1, "OBL": 1, "UDL": 1, "UDLP": 1,
        "RPL": -1, "ST": -1, "SEL": -1, "PFL": -1, "GUA": -1, "UDLM": -1,
    }
)  # fmt: skip
"""Contract role to sign. Source: ACTUS technical specification, table of contract roles."""

INFORMATIVE_TERMS = frozenset(
    {
        "contractID", "contractDealDate", "contractPerformance", "counterpartyID", "creatorID",
        "legalEntityIDCounterparty", "legalEntityIDRecordCreator", "marketObjectCode",
        "marketValueObserved", "seniority", "nonPerformingDate", "gracePeriod", "delinquencyPeriod",
        "delinquencyRate", "creditLineAmount", "fixingDays", "fixingPeriod",
    }
)  # fmt: skip
"""Accepted; no formula of the four types reads them."""

PREPAYMENT_TERMS = frozenset(
    {
        "cycleAnchorDateOfOptionality", "cycleOfOptionality", "optionExerciseEndDate",
        "objectCodeOfPrepaymentModel", "penaltyRate", "penaltyType", "prepaymentPeriod",
    }
)  # fmt: skip
"""Accepted; without effect, because `prepaymentEffect` other than N is refused."""

COMMON_TERMS = frozenset(
    {
        "contractType", "contractRole", "statusDate", "currency", "settlementCurrency", "calendar",
        "businessDayConvention", "endOfMonthConvention", "dayCountConvention", "initialExchangeDate",
        "maturityDate", "notionalPrincipal", "premiumDiscountAtIED", "nominalInterestRate",
        "accruedInterest", "cycleAnchorDateOfInterestPayment", "cycleOfInterestPayment",
        "cyclePointOfInterestPayment", "capitalizationEndDate", "cycleAnchorDateOfRateReset",
        "cycleOfRateReset", "cyclePointOfRateReset", "marketObjectCodeOfRateReset", "rateSpread",
        "rateMultiplier", "lifeCap", "lifeFloor", "periodCap", "periodFloor", "nextResetRate",
        "cycleAnchorDateOfFee", "cycleOfFee", "feeBasis", "feeRate", "feeAccrued", "scalingEffect",
        "cycleAnchorDateOfScalingIndex", "cycleOfScalingIndex", "marketObjectCodeOfScalingIndex",
        "scalingIndexAtContractDealDate", "scalingIndexAtStatusDate", "notionalScalingMultiplier",
        "interestScalingMultiplier", "purchaseDate", "priceAtPurchaseDate", "terminationDate",
        "priceAtTerminationDate", "prepaymentEffect",
    }
)  # fmt: skip
"""Read for every one of the four types."""

REDEMPTION_TERMS = frozenset(
    {
        "cycleAnchorDateOfPrincipalRedemption", "cycleOfPrincipalRedemption",
        "nextPrincipalRedemptionPayment", "interestCalculationBase", "interestCalculationBaseAmount",
        "cycleAnchorDateOfInterestCalculationBase", "cycleOfInterestCalculationBase",
    }
)  # fmt: skip
"""Read for LAM, NAM and ANN."""


def terms_of(contract_type: ContractType) -> frozenset[str]:
    """The terms that a contract of that type may have."""
    known = COMMON_TERMS | INFORMATIVE_TERMS | PREPAYMENT_TERMS
    if contract_type is not ContractType.PAM:
        known |= REDEMPTION_TERMS
    return known | {"amortizationDate"} if contract_type is ContractType.ANN else known


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: a contract, what the market showed, and how far to compute."""

    identifier: str
    terms: ContractTerms
    observed: Observations
    horizon: datetime | None


def case_json(case_id: str, raw: object) -> str:
    """Parse a case, compute it, and give `{identifier, results}` as JSON text.

    Amounts and rates are JSON numbers with all their digits (up to 18 decimals), written
    from integers and never through a float.

    Raises:
        InputError: the case cannot be read or has a term that is not supported.
    """
    case = parse_case(case_id, raw)
    currency = json.dumps(case.terms.currency)
    rows = [
        event_json(event, currency) for event in cashflows(case.terms, case.observed, horizon=case.horizon)
    ]
    return (
        f'{{"identifier": {json.dumps(case.identifier)}, "results": [\n   ' + ",\n   ".join(rows) + "\n  ]}"
    )


def parse_case(case_id: str, raw: object) -> Case:
    """Read one case of the public format.

    Raises:
        InputError: naming the term at fault; the caller knows the case.
    """
    where = "case"
    if not isinstance(raw, Mapping):
        raise InputError(where=where, expected="an object with terms", got=type(raw).__name__)
    terms = raw.get("terms")
    if not isinstance(terms, Mapping):
        raise InputError(where=where, key="terms", expected="an object", got=type(terms).__name__)
    if raw.get("eventsObserved"):
        raise InputError(
            where=where, key="eventsObserved", expected="none (observed events are not supported)"
        )
    return Case(
        identifier=str(raw.get("identifier") or case_id),
        terms=parse_terms(terms),
        observed=_parse_observed(raw.get("dataObserved") or {}, where),
        horizon=_parse_time(raw["to"], where, "to") if raw.get("to") else None,
    )


def parse_terms(raw: Mapping[str, object], *, where: str = "terms") -> ContractTerms:
    """Read the terms of a contract; empty texts and nulls are absent terms.

    Raises:
        InputError: a term is missing, malformed, contradictory or not supported.
        UnknownName: a name outside its closed list (type, role, convention, calendar).
    """
    reader = _Reader({k: v for k, v in raw.items() if v is not None and str(v).strip() != ""}, where)
    contract_type = reader.one_of("contractType", {kind.value: kind for kind in ContractType})
    for name in reader.raw:
        if name not in terms_of(contract_type):
            raise InputError(
                where=where, key=name, expected=f"no such term (unknown or not supported for {contract_type})"
            )
    _refuse_unsupported(reader)

    calendar = business_calendar(reader.text("calendar", "NC"), where=f"{where}: calendar")
    return ContractTerms(
        contract_type=contract_type,
        contract_id=reader.text("contractID", ""),
        sign=reader.one_of("contractRole", ROLE_SIGNS),
        currency=reader.text("currency", ""),
        status_date=reader.required("statusDate", reader.time),
        initial_exchange_date=reader.required("initialExchangeDate", reader.time),
        maturity_date=reader.time("maturityDate"),
        amortization_date=reader.time("amortizationDate"),
        notional_wad=reader.required("notionalPrincipal", reader.wad),
        premium_discount_wad=reader.wad("premiumDiscountAtIED") or 0,
        day_count=day_count(
            reader.required("dayCountConvention", reader.text_or_none), where=f"{where}: dayCountConvention"
        ),
        business_days=business_day_rule(
            reader.text("businessDayConvention", "NOS"), calendar, where=where, key="businessDayConvention"
        ),
        end_of_month=reader.one_of("endOfMonthConvention", {"SD": False, "EOM": True}, default="SD"),
        nominal_rate_wad=_nominal_rate(reader),
        accrued_interest_wad=reader.wad("accruedInterest"),
        interest_anchor=reader.time("cycleAnchorDateOfInterestPayment"),
        interest_cycle=reader.cycle("cycleOfInterestPayment"),
        capitalization_end=reader.time("capitalizationEndDate"),
        redemption_anchor=reader.time("cycleAnchorDateOfPrincipalRedemption"),
        redemption_cycle=reader.cycle("cycleOfPrincipalRedemption"),
        next_redemption_wad=reader.wad("nextPrincipalRedemptionPayment"),
        interest_base=reader.one_of(
            "interestCalculationBase", {base.value: base for base in InterestBase}, default="NT"
        ),
        interest_base_wad=reader.wad("interestCalculationBaseAmount"),
        base_anchor=reader.time("cycleAnchorDateOfInterestCalculationBase"),
        base_cycle=reader.cycle("cycleOfInterestCalculationBase"),
        reset_anchor=reader.time("cycleAnchorDateOfRateReset"),
        reset_cycle=reader.cycle("cycleOfRateReset"),
        reset_index=reader.text_or_none("marketObjectCodeOfRateReset"),
        rate_spread_wad=reader.wad("rateSpread") or 0,
        rate_multiplier_wad=reader.wad_or("rateMultiplier", WAD),
        life_cap_wad=reader.wad("lifeCap"),
        life_floor_wad=reader.wad("lifeFloor"),
        period_cap_wad=reader.wad("periodCap"),
        period_floor_wad=reader.wad("periodFloor"),
        next_reset_rate_wad=reader.wad("nextResetRate"),
        fee_anchor=reader.time("cycleAnchorDateOfFee"),
        fee_cycle=reader.cycle("cycleOfFee"),
        fee_basis=_fee_basis(reader),
        fee_rate_wad=reader.wad("feeRate") or 0,
        fee_accrued_wad=reader.wad("feeAccrued") or 0,
        scaling_effect=reader.text("scalingEffect", "000").upper(),
        scaling_anchor=reader.time("cycleAnchorDateOfScalingIndex"),
        scaling_cycle=reader.cycle("cycleOfScalingIndex"),
        scaling_index=reader.text_or_none("marketObjectCodeOfScalingIndex"),
        scaling_reference_wad=_scaling_reference(reader),
        notional_multiplier_wad=reader.wad_or("notionalScalingMultiplier", WAD),
        interest_multiplier_wad=reader.wad_or("interestScalingMultiplier", WAD),
        purchase_date=reader.time("purchaseDate"),
        price_at_purchase_wad=reader.wad("priceAtPurchaseDate") or 0,
        termination_date=reader.time("terminationDate"),
        price_at_termination_wad=reader.wad("priceAtTerminationDate") or 0,
    )


def event_json(event: CashflowEvent, currency_json: str) -> str:
    """One event with the fields of the format's `results`, as JSON text."""
    seconds = f":{event.time:%S}" if event.time.second else ""
    return (
        f'{{"eventDate": "{event.time:%Y-%m-%dT%H:%M}{seconds}", "eventType": "{event.kind}", '
        f'"payoff": {text_from_wad(event.payoff_wad)}, "currency": {currency_json}, '
        f'"notionalPrincipal": {text_from_wad(event.notional_wad)}, '
        f'"nominalInterestRate": {text_from_wad(event.rate_wad)}, '
        f'"accruedInterest": {text_from_wad(event.accrued_wad)}}}'
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Typed access to the raw terms of one case; every error names the term."""

    raw: Mapping[str, object]
    where: str

    def text_or_none(self, name: str) -> str | None:
        value = self.raw.get(name)
        return None if value is None else str(value).strip()

    def text(self, name: str, default: str) -> str:
        return self.text_or_none(name) or default

    def required(self, name: str, read: Callable[[str], _T | None]) -> _T:
        value = read(name)
        if value is None:
            raise InputError(where=self.where, key=name, expected="a value")
        return value

    def one_of(self, name: str, choices: Mapping[str, _T], *, default: str | None = None) -> _T:
        value = self.text_or_none(name) or default
        if value is None:
            raise InputError(where=self.where, key=name, expected="a value")
        if value not in choices:
            raise UnknownName(where=self.where, key=name, got=value, known=choices)
        return choices[value]

    def time(self, name: str) -> datetime | None:
        value = self.raw.get(name)
        return None if value is None else _parse_time(value, self.where, name)

    def wad(self, name: str) -> int | None:
        value = self.raw.get(name)
        return None if value is None else _parse_wad(value, self.where, name)

    def wad_or(self, name: str, default: int) -> int:
        value = self.wad(name)
        return default if value is None else value

    def cycle(self, name: str) -> Cycle | None:
        value = self.text_or_none(name)
        return None if value is None else parse_cycle(value, where=self.where, key=name)


def _refuse_unsupported(reader: _Reader) -> None:
    """Refuse values that the terms' names allow and the engine does not compute."""
    only = {
        "prepaymentEffect": "N",
        "cyclePointOfInterestPayment": "E",
        "cyclePointOfRateReset": "B",
        "settlementCurrency": reader.text("currency", ""),
    }
    for name, supported in only.items():
        value = reader.text_or_none(name)
        if value is not None and value != supported:
            raise InputError(
                where=reader.where, key=name, expected=f"{supported} (others are not supported)", got=value
            )


def _nominal_rate(reader: _Reader) -> int:
    """The rate a year; more than 100 % is a percentage written for a fraction."""
    rate_wad = reader.wad("nominalInterestRate") or 0
    if abs(rate_wad) > WAD:
        raise InputError(
            where=reader.where,
            key="nominalInterestRate",
            expected="a fraction of one a year (5 % is 0.05)",
            got=text_from_wad(rate_wad),
        )
    return rate_wad


def _fee_basis(reader: _Reader) -> FeeBasis | None:
    basis = reader.text_or_none("feeBasis")
    if basis is None and reader.wad("feeRate"):
        raise InputError(where=reader.where, key="feeBasis", expected="A or N, because there is a feeRate")
    return None if basis is None else reader.one_of("feeBasis", {b.value: b for b in FeeBasis})


def _scaling_reference(reader: _Reader) -> int | None:
    reference_wad = reader.wad("scalingIndexAtContractDealDate")
    return reader.wad("scalingIndexAtStatusDate") if reference_wad is None else reference_wad


def _parse_observed(raw: object, where: str) -> Observations:
    if not isinstance(raw, Mapping):
        raise InputError(where=where, key="dataObserved", expected="an object", got=type(raw).__name__)
    series = {}
    for code, entry in raw.items():
        points = entry.get("data") if isinstance(entry, Mapping) else None
        if not isinstance(points, list):
            raise InputError(where=where, key=f"dataObserved.{code}", expected="an object with a list `data`")
        series[str(code)] = [_parse_point(point, where, f"dataObserved.{code}") for point in points]
    return Observations(series)


def _parse_point(raw: object, where: str, key: str) -> tuple[datetime, int]:
    if not isinstance(raw, Mapping) or not {"timestamp", "value"} <= raw.keys():
        raise InputError(where=where, key=key, expected="points with timestamp and value")
    return _parse_time(raw["timestamp"], where, key), _parse_wad(raw["value"], where, key)


def _parse_time(value: object, where: str, key: str) -> datetime:
    """An ISO date or local date-time; 24:00 is the start of the next day."""
    text = str(value).strip()
    day, _, clock = text.partition("T")
    ends_day = clock in ("24:00", "24:00:00")
    try:
        moment: datetime | None = datetime.fromisoformat(day if ends_day else text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise InputError(where=where, key=key, expected="a date such as 2026-01-15T00:00:00", got=repr(text))
    return moment + timedelta(days=1) if ends_day else moment


def _parse_wad(value: object, where: str, key: str) -> int:
    """A number, or a text with a number, as wad."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(where=where, key=key, expected="a number", got=repr(value))
    try:
        return wad_from_text(str(value))
    except ValueError:
        raise InputError(where=where, key=key, expected="a number", got=repr(value)) from None
