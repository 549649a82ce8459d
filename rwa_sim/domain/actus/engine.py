"""A contract's cash flows: the state, and what each event pays and changes.

    terms --maturity_of--> maturity --event_plan--> steps --one function an event--> events

Each function below is the payoff function and the state transition function of one event
type; it gets the state, the scheduled time and the years since the event before. The state is
kept from the lender's side, all amounts positive for a loan that is owed; the role sign is put
on when an event is reported.

ROUNDINGS: interest, fees, scaled amounts and the level payment are each rounded once to the
nearest 1e-18. Everything else is addition.

Source: ACTUS technical specification, state variables initialisation, state transition
functions and payoff functions of PAM, LAM, NAM and ANN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from rwa_sim.domain.actus.events import CashflowEvent, EventKind
from rwa_sim.domain.actus.fixed import WAD, nearest
from rwa_sim.domain.actus.observations import NOTHING_OBSERVED, Observations
from rwa_sim.domain.actus.plan import event_plan
from rwa_sim.domain.actus.redemption import annuity_payment_wad, level_redemption_wad, maturity_of
from rwa_sim.domain.actus.terms import ContractTerms, ContractType, FeeBasis, InterestBase
from rwa_sim.domain.daycount import Ratio
from rwa_sim.errors import InputError


def cashflows(
    terms: ContractTerms, observed: Observations = NOTHING_OBSERVED, *, horizon: datetime | None = None
) -> tuple[CashflowEvent, ...]:
    """Every event of the contract after its status date, in order of processing.

    Args:
        terms: the contract.
        observed: values of the indices that rate resets and scaling look at.
        horizon: report nothing after it; None for the whole life.

    Returns:
        Events with payoff and state (wad), signed for the contract's holder. After a
        purchase date nothing before the purchase is reported.

    Raises:
        InputError: the maturity or a payment cannot be derived, or an index value is missing.
        CalendarYearMissing: the calendar has no data for a year of the contract.
    """
    maturity = maturity_of(terms)
    state = _State(terms, observed, maturity)
    sign, apply = terms.sign, _APPLY
    events: list[CashflowEvent] = []
    for kind, time, scheduled, years, reported in event_plan(terms, maturity, horizon):
        payoff_wad = apply[kind](state, scheduled, years)
        if reported:
            events.append(
                CashflowEvent(
                    time,
                    kind,
                    sign * payoff_wad,
                    sign * state.notional_wad,
                    state.rate_wad,
                    sign * state.accrued_wad,
                )
            )
    return tuple(events)


class _State:
    """The state variables of one contract, and the terms its events read.

    `base_wad` is what interest is computed on; with `base_is_notional` it follows the notional.
    """

    __slots__ = (
        "accrued_wad",
        "base_is_notional",
        "base_wad",
        "fee_wad",
        "interest_multiplier_wad",
        "maturity",
        "notional_multiplier_wad",
        "notional_wad",
        "observed",
        "rate_wad",
        "redemption_moves_base",
        "redemption_wad",
        "terms",
    )

    def __init__(self, terms: ContractTerms, observed: Observations, maturity: datetime) -> None:
        self.terms, self.observed, self.maturity = terms, observed, maturity
        self.base_is_notional = (
            terms.interest_base is InterestBase.NT or terms.contract_type is ContractType.PAM
        )
        # In a LAM the base NTIED holds until the first redemption only (docs/actus.md, Choices).
        self.redemption_moves_base = self.base_is_notional or (
            terms.interest_base is InterestBase.NTIED and terms.contract_type is ContractType.LAM
        )
        self.notional_wad = self.base_wad = self.rate_wad = self.accrued_wad = 0
        self.fee_wad = terms.fee_accrued_wad
        self.notional_multiplier_wad = terms.notional_multiplier_wad
        self.interest_multiplier_wad = terms.interest_multiplier_wad
        if terms.initial_exchange_date <= terms.status_date:
            self.exchange()
            self.accrued_wad = terms.accrued_interest_wad or 0
        self.redemption_wad = self._first_redemption_wad()

    def exchange(self) -> None:
        """Set what the initial exchange sets."""
        terms = self.terms
        self.notional_wad = self.base_wad = terms.notional_wad
        self.rate_wad = terms.nominal_rate_wad
        if not self.base_is_notional and terms.interest_base_wad is not None:
            self.base_wad = terms.interest_base_wad

    def _first_redemption_wad(self) -> int:
        terms = self.terms
        if terms.contract_type is ContractType.PAM:
            return 0
        if terms.next_redemption_wad is not None:
            return terms.next_redemption_wad
        if terms.contract_type is ContractType.LAM:
            return level_redemption_wad(terms, self.maturity)
        if terms.contract_type is ContractType.NAM:
            raise InputError(
                where="contract", key="nextPrincipalRedemptionPayment", expected="the payment of a NAM"
            )
        payment_wad = annuity_payment_wad(
            terms, self.maturity, terms.status_date, self.notional_wad, self.accrued_wad, self.rate_wad
        )
        return payment_wad or 0

    def accrue(self, years: Ratio) -> None:
        """Add the interest, and a fee on the notional, of that many years."""
        numerator, denominator = years
        if numerator:
            unit = denominator * WAD
            self.accrued_wad += nearest(self.base_wad * self.rate_wad * numerator, unit)
            if self.terms.fee_rate_wad and self.terms.fee_basis is FeeBasis.N:
                self.fee_wad += nearest(self.notional_wad * self.terms.fee_rate_wad * numerator, unit)

    def close(self) -> None:
        """Nothing is owed any more. The rate stays as it was."""
        self.notional_wad = self.base_wad = self.accrued_wad = self.fee_wad = 0


def _scaled(multiplier_wad: int, amount_wad: int) -> int:
    return amount_wad if multiplier_wad == WAD else nearest(multiplier_wad * amount_wad, WAD)


def _initial_exchange(state: _State, at: datetime, years: Ratio) -> int:
    terms = state.terms
    state.exchange()
    if terms.accrued_interest_wad is not None:
        state.accrued_wad = terms.accrued_interest_wad
    else:
        state.accrue(years)
    return -(terms.notional_wad + terms.premium_discount_wad)


def _redeem(state: _State, principal_wad: int) -> int:
    """Repay principal, at most what is left."""
    if principal_wad > state.notional_wad:
        principal_wad = state.notional_wad
    state.notional_wad -= principal_wad
    if state.redemption_moves_base:
        state.base_wad = state.notional_wad
    return _scaled(state.notional_multiplier_wad, principal_wad)


def _principal_redemption(state: _State, at: datetime, years: Ratio) -> int:
    """LAM: an amount of principal. NAM, ANN: what the payment leaves after interest, maybe negative."""
    state.accrue(years)
    if state.terms.contract_type is ContractType.LAM:
        return _redeem(state, state.redemption_wad)
    return _redeem(state, state.redemption_wad - state.accrued_wad)


def _interest_payment(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    paid_wad = _scaled(state.interest_multiplier_wad, state.accrued_wad)
    state.accrued_wad = 0
    return paid_wad


def _interest_capitalisation(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    state.notional_wad += state.accrued_wad
    state.accrued_wad = 0
    if state.base_is_notional:
        state.base_wad = state.notional_wad
    return 0


def _fee_payment(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    paid_wad = state.terms.fee_rate_wad if state.terms.fee_basis is FeeBasis.A else state.fee_wad
    state.fee_wad = 0
    return paid_wad


def _rate_reset(state: _State, at: datetime, years: Ratio) -> int:
    """The observed rate, moved by at most the period bounds and kept in the life bounds."""
    state.accrue(years)
    terms = state.terms
    index_wad = state.observed.value(terms.reset_index, at, term="marketObjectCodeOfRateReset")
    target_wad = _scaled(terms.rate_multiplier_wad, index_wad) + terms.rate_spread_wad
    change_wad = _clamped(target_wad - state.rate_wad, terms.period_floor_wad, terms.period_cap_wad)
    state.rate_wad = _clamped(state.rate_wad + change_wad, terms.life_floor_wad, terms.life_cap_wad)
    return 0


def _clamped(value_wad: int, floor_wad: int | None, cap_wad: int | None) -> int:
    if floor_wad is not None:
        value_wad = max(value_wad, floor_wad)
    return value_wad if cap_wad is None else min(value_wad, cap_wad)


def _fixed_rate_reset(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    if state.terms.next_reset_rate_wad is not None:
        state.rate_wad = state.terms.next_reset_rate_wad
    return 0


def _payment_fixing(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    payment_wad = annuity_payment_wad(
        state.terms, state.maturity, at, state.notional_wad, state.accrued_wad, state.rate_wad
    )
    if payment_wad is not None:
        state.redemption_wad = payment_wad
    return 0


def _scaling(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    terms = state.terms
    if not terms.scaling_reference_wad:
        raise InputError(
            where="contract",
            key="scalingIndexAtContractDealDate",
            expected="the index the scaling starts from",
        )
    index_wad = state.observed.value(terms.scaling_index, at, term="marketObjectCodeOfScalingIndex")
    multiplier_wad = nearest(index_wad * WAD, terms.scaling_reference_wad)
    if "I" in terms.scaling_effect:
        state.interest_multiplier_wad = multiplier_wad
    if "N" in terms.scaling_effect:
        state.notional_multiplier_wad = multiplier_wad
    return 0


def _base_fixing(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    state.base_wad = state.notional_wad
    return 0


def _purchase(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    return -_price_with_accrued(state, state.terms.price_at_purchase_wad)


def _termination(state: _State, at: datetime, years: Ratio) -> int:
    state.accrue(years)
    received_wad = _price_with_accrued(state, state.terms.price_at_termination_wad)
    state.close()
    return received_wad


def _price_with_accrued(state: _State, price_wad: int) -> int:
    # The standard adds the signed accrued interest to the price and signs the sum by the
    # role once more: for a borrower the accrued interest lowers what the price adds.
    return price_wad + state.terms.sign * state.accrued_wad


def _maturity(state: _State, _at: datetime, _years: Ratio) -> int:
    # Interest since the step before is not due here: it is what the interest payment of
    # the same day paid. A contract without interest payments pays none at maturity.
    paid_wad = (
        _scaled(state.notional_multiplier_wad, state.notional_wad)
        + _scaled(state.interest_multiplier_wad, state.accrued_wad)
        + state.fee_wad
    )
    state.close()
    return paid_wad


_APPLY: Mapping[EventKind, Callable[[_State, datetime, Ratio], int]] = MappingProxyType(
    {
        EventKind.IED: _initial_exchange,
        EventKind.PR: _principal_redemption,
        EventKind.IP: _interest_payment,
        EventKind.IPCI: _interest_capitalisation,
        EventKind.FP: _fee_payment,
        EventKind.RRF: _fixed_rate_reset,
        EventKind.RR: _rate_reset,
        EventKind.PRF: _payment_fixing,
        EventKind.SC: _scaling,
        EventKind.IPCB: _base_fixing,
        EventKind.PRD: _purchase,
        EventKind.TD: _termination,
        EventKind.MD: _maturity,
    }
)
