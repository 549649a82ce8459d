"""What a deal must be before anything is computed: one clear line for the first fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.money import BPS, WAD
from rwa_sim.domain.tranches.terms import ClassTerms, DealTerms, Step, StepKind
from rwa_sim.domain.waterfall import Trigger
from rwa_sim.errors import InputError, UnknownName

MAX_CLASSES = 8
MAX_STEPS = 16
MAX_USD6 = 10**21  # a quadrillion dollars
MAX_RATIO_BPS = 10**6
FREQUENCIES = (1, 2, 3, 4, 6, 12)
DAY_COUNTS = (
    "30/360.BondBasis",
    "30E/360",
    "Actual/360",
    "Actual/365 (Fixed)",
    "ActualActual.ISMA",
    "ActualActual.ISDA",
)
"""The conventions the contracts have."""

_PAID_TO_CLASSES = (StepKind.INTEREST, StepKind.PRINCIPAL, StepKind.FIRST_PRIORITY, StepKind.TURBO)
_PAID_TO_PAYEE = (StepKind.FEE, StepKind.ADVANCE, StepKind.HEDGE, StepKind.RESIDUAL)
_FIELDS: Mapping[str, tuple[StepKind, ...]] = MappingProxyType(
    {
        "rate_wad": (StepKind.FEE,),
        "fixed_usd6": (StepKind.FEE, StepKind.RESERVE, StepKind.PRINCIPAL),
        "pro_rata": (StepKind.PRINCIPAL,),
        "to_pool": (StepKind.PRINCIPAL,),
        "bps": (StepKind.PRINCIPAL, StepKind.RESERVE),
        "reserve": tuple(kind for kind in StepKind if kind not in (StepKind.RESERVE, StepKind.RESIDUAL)),
    }
)
"""Which kinds use a field; elsewhere it must stay at its default."""


def validate_deal(terms: DealTerms, where: str) -> None:
    """Refuse a deal that the waterfall cannot carry out, or that its author cannot have meant.

    Args:
        terms: the deal.
        where: file or document it came from, for the message.

    Raises:
        UnknownName: a day count the contracts do not have.
        InputError: anything else; names the key, `class.1.rate_wad`, counted from 0.
    """
    _require_count(where, "class", len(terms.classes), MAX_CLASSES)
    _require_count(where, "step", len(terms.steps), MAX_STEPS)
    _validate_numbers(terms, where)
    names = [c.name for c in terms.classes]
    for index, c in enumerate(terms.classes):
        _validate_class(c, where, f"class.{index}", terms.period_count)
        if c.name in names[:index]:
            raise InputError(
                where=where, key=f"class.{index}.name", expected="another name", got=repr(c.name)
            )
    for index, step in enumerate(terms.steps):
        _validate_step(step, where, f"step.{index}", len(names))
    _validate_order(terms, where)


def _validate_numbers(terms: DealTerms, where: str) -> None:
    for key, value, least, most in (
        ("period_count", terms.period_count, 1, 10**4),
        ("threshold", terms.threshold, *_threshold_bounds(terms)),
        ("maturity_s", terms.maturity_s, 1, 10**11),
        ("cure_window_s", terms.cure_window_s, 0, 10**11),
        ("min_oc_bps", terms.min_oc_bps, 0, MAX_RATIO_BPS),
        ("max_delinquency_bps", terms.max_delinquency_bps, 0, MAX_RATIO_BPS),
        ("min_dscr_bps", terms.min_dscr_bps, 0, MAX_RATIO_BPS),
    ):
        _require_range(where, key, value, least, most)
    if terms.accelerate_on_default and not terms.cure_window_s:
        raise InputError(
            where=where,
            key="accelerate_on_default",
            expected="a cure window; without it nothing is a default",
        )


def _threshold_bounds(terms: DealTerms) -> tuple[int, int]:
    """A schedule has no threshold: one that is named would be silently without effect."""
    return (0, 0) if terms.trigger is Trigger.SCHEDULE else (1, MAX_USD6)


def _validate_class(terms: ClassTerms, where: str, key: str, period_count: int) -> None:
    if not terms.name:
        raise InputError(where=where, key=f"{key}.name", expected="a name")
    convention = day_count(terms.day_count, where=f"{where}: {key}.day_count").name
    if convention not in DAY_COUNTS:
        raise UnknownName(where=where, key=f"{key}.day_count", got=terms.day_count, known=DAY_COUNTS)
    if terms.frequency not in FREQUENCIES:
        raise InputError(
            where=where, key=f"{key}.frequency", expected=f"one of {FREQUENCIES}", got=str(terms.frequency)
        )
    _require_range(where, f"{key}.original_usd6", terms.original_usd6, 1, MAX_USD6)
    _require_rate(where, f"{key}.rate_wad", terms.rate_wad)
    _require_rate(where, f"{key}.default_rate_wad", terms.default_rate_wad)
    _require_range(where, f"{key}.principal_start", terms.principal_start, 1, period_count)
    _require_range(
        where,
        f"{key}.principal_periods",
        terms.principal_periods,
        1,
        period_count - terms.principal_start + 1,  # the last instalment by the legal final
    )


def _validate_step(step: Step, where: str, key: str, class_count: int) -> None:
    for field, kinds in _FIELDS.items():
        if getattr(step, field) and step.kind not in kinds:
            raise InputError(where=where, key=f"{key}.{field}", expected=f"nothing for a {step.kind} step")
    if (step.kind in _PAID_TO_PAYEE) != bool(step.payee):
        expected = "an account to pay" if not step.payee else f"no payee for a {step.kind} step"
        raise InputError(where=where, key=f"{key}.payee", expected=expected, got=step.payee)
    _validate_places(step, where, key, class_count)
    _require_rate(where, f"{key}.rate_wad", step.rate_wad)
    _require_range(where, f"{key}.fixed_usd6", step.fixed_usd6, 0, MAX_USD6)
    _require_range(where, f"{key}.bps", step.bps, 0, BPS)
    if step.pro_rata and len(step.classes) < 2:
        raise InputError(where=where, key=f"{key}.pro_rata", expected="two classes or more to share")
    if step.kind is StepKind.PRINCIPAL and (step.bps or step.fixed_usd6) and not step.to_pool:
        field = "bps" if step.bps else "fixed_usd6"
        raise InputError(where=where, key=f"{key}.{field}", expected="to_pool with an OC target")


def _validate_places(step: Step, where: str, key: str, class_count: int) -> None:
    places = step.classes
    if (step.kind in _PAID_TO_CLASSES) != bool(places):
        expected = "a class to pay" if not places else f"no class for a {step.kind} step"
        raise InputError(where=where, key=f"{key}.classes", expected=expected)
    if any(not 0 <= place < class_count for place in places):
        raise InputError(
            where=where, key=f"{key}.classes", expected=f"classes 0 to {class_count - 1}", got=str(places)
        )
    if list(places) != sorted(set(places)):
        raise InputError(
            where=where, key=f"{key}.classes", expected="each class once, senior first", got=str(places)
        )


def _validate_order(terms: DealTerms, where: str) -> None:
    """What the steps must be together."""
    kinds = [step.kind for step in terms.steps]
    for kind in (StepKind.RESERVE, StepKind.RESIDUAL):
        if kinds.count(kind) > 1:
            raise InputError(where=where, key="step", expected=f"at most one {kind} step")
    if StepKind.RESIDUAL in kinds[:-1]:
        raise InputError(where=where, key="step", expected="the residual step last: it takes everything")
    for index, step in enumerate(terms.steps):
        if step.reserve and StepKind.RESERVE not in kinds:
            raise InputError(where=where, key=f"step.{index}.reserve", expected="a reserve step in the deal")
    paid_interest = [
        place for step in terms.steps if step.kind is StepKind.INTEREST for place in step.classes
    ]
    repaid = {place for step in terms.steps if step.kind is StepKind.PRINCIPAL for place in step.classes}
    for place, c in enumerate(terms.classes):
        if paid_interest.count(place) != 1:
            raise InputError(
                where=where,
                key="step",
                expected=f"one interest step for class {c.name}",
                got=str(paid_interest.count(place)),
            )
        if place not in repaid:
            raise InputError(where=where, key="step", expected=f"a principal step for class {c.name}")
    _require_senior_first(terms, paid_interest, where)


def _require_senior_first(terms: DealTerms, paid_interest: Iterable[int], where: str) -> None:
    order = list(paid_interest)
    if order != sorted(order):
        shown = ", ".join(terms.classes[place].name for place in order)
        raise InputError(
            where=where, key="step", expected="interest in the order of the classes, senior first", got=shown
        )


def _require_count(where: str, key: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise InputError(where=where, key=key, expected=f"from 1 to {most} of them", got=str(count))


def _require_rate(where: str, key: str, rate_wad: int) -> None:
    if not 0 <= rate_wad <= WAD:
        raise InputError(
            where=where, key=key, expected="a rate from 0 to 100 % a year (5 % is 0.05)", got=str(rate_wad)
        )


def _require_range(where: str, key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(where=where, key=key, expected=f"a number from {least} to {most}", got=str(value))
