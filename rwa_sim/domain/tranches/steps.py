"""The steps in order: each takes what it is due from what is left, and from the reserve where it is covered.

Only the two splits of principal and the two targets round; everything else adds and subtracts, so that
available + reserve out = sum of the steps + left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rwa_sim.domain.money import BPS
from rwa_sim.domain.tranches.state import ClassState, DealState
from rwa_sim.domain.tranches.terms import ClassTerms, DealTerms, Step, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One distribution under way."""

    terms: DealTerms
    state: DealState
    breached: bool
    left_usd6: int
    reserve_in_usd6: int = 0
    reserve_out_usd6: int = 0
    step_paid_usd6: tuple[int, ...] = ()


def run_steps(terms: DealTerms, state: DealState, available_usd6: int, *, breached: bool) -> Pass:
    """Put the available cash through all steps; `state` comes back with the balances after them."""
    run = Pass(terms=terms, state=state, breached=breached, left_usd6=available_usd6)
    for index in range(len(terms.steps)):
        run = _take_step(run, index)
    return run


def _take_step(run: Pass, index: int) -> Pass:
    step = run.terms.steps[index]
    repaid = step.kind is StepKind.RESIDUAL and not run.state.notes_usd6
    if step.kind is StepKind.RESERVE or repaid:
        run = _release(run, step)
    due_usd6 = _DUE[step.kind](run, index)
    from_cash_usd6 = min(run.left_usd6, due_usd6)
    # once all principal is due the reserve is there for every step, in order; a residual is never short
    covered = step.kind is not StepKind.RESERVE and (step.reserve or all_principal_due(run.terms, run.state))
    drawn_usd6 = min(run.state.reserve_usd6, due_usd6 - from_cash_usd6) if covered else 0
    paid_usd6 = from_cash_usd6 + drawn_usd6
    run = replace(
        run,
        state=replace(run.state, reserve_usd6=run.state.reserve_usd6 - drawn_usd6),
        left_usd6=run.left_usd6 - from_cash_usd6,
        reserve_out_usd6=run.reserve_out_usd6 + drawn_usd6,
        reserve_in_usd6=run.reserve_in_usd6 + (paid_usd6 if step.kind is StepKind.RESERVE else 0),
        step_paid_usd6=(*run.step_paid_usd6, paid_usd6),
    )
    return replace(run, state=_book(run, index, paid_usd6))


def _release(run: Pass, step: Step) -> Pass:
    """What the reserve holds above its target goes to what is left."""
    above_usd6 = max(0, run.state.reserve_usd6 - reserve_target_usd6(run.terms, step, run.state))
    return replace(
        run,
        state=replace(run.state, reserve_usd6=run.state.reserve_usd6 - above_usd6),
        left_usd6=run.left_usd6 + above_usd6,
        reserve_out_usd6=run.reserve_out_usd6 + above_usd6,
    )


# ------------------------------------------------------------------ what is due


def all_principal_due(terms: DealTerms, state: DealState) -> bool:
    """Accelerated, or at or after the legal final."""
    return state.accelerated or state.period_id >= terms.period_count


def scheduled_due_usd6(terms: ClassTerms, balance: ClassState, period_id: int, *, all_due: bool) -> int:
    """Scheduled principal of a class that is neither paid nor written down.

    Instalments are equal; their running total is rounded down, so that the last brings it to the original.
    """
    if all_due:
        return balance.outstanding_usd6
    instalments = min(max(0, period_id - terms.principal_start + 1), terms.principal_periods)
    scheduled_usd6 = terms.original_usd6 * instalments // terms.principal_periods
    gone_usd6 = balance.principal_paid_usd6 + balance.written_down_usd6
    return min(balance.outstanding_usd6, max(0, scheduled_usd6 - gone_usd6))


def reserve_target_usd6(terms: DealTerms, step: Step, state: DealState) -> int:
    """The higher of the fixed amount and the part of the notes, rounded down.

    None without notes, and none once all principal is due: then the reserve is there to be used.
    """
    if all_principal_due(terms, state) or not state.notes_usd6:
        return 0
    return max(step.fixed_usd6, state.notes_usd6 * step.bps // BPS)


def _fee_due(run: Pass, index: int) -> int:
    return run.state.fees_owed_usd6[index]


def _advance_due(run: Pass, _index: int) -> int:
    return run.state.advances_usd6


def _hedge_due(run: Pass, _index: int) -> int:
    return run.state.hedge_owed_usd6


def _interest_due(run: Pass, index: int) -> int:
    return sum(run.state.classes[i].interest_owed_usd6 for i in run.terms.steps[index].classes)


def _principal_due(run: Pass, index: int) -> int:
    step, terms, state = run.terms.steps[index], run.terms, run.state
    outstanding_usd6 = _outstanding_usd6(run, index)
    if all_principal_due(terms, state):
        return outstanding_usd6
    if not step.to_pool:
        return sum(
            scheduled_due_usd6(terms.classes[i], state.classes[i], state.period_id, all_due=False)
            for i in step.classes
        )
    target_usd6 = max(step.fixed_usd6, state.pool_usd6 * step.bps // BPS)
    return min(outstanding_usd6, max(0, state.notes_usd6 - max(0, state.pool_usd6 - target_usd6)))


def _first_priority_due(run: Pass, index: int) -> int:
    return max(0, _outstanding_usd6(run, index) - run.state.pool_usd6)


def _reserve_due(run: Pass, index: int) -> int:
    return max(0, reserve_target_usd6(run.terms, run.terms.steps[index], run.state) - run.state.reserve_usd6)


def _turbo_due(run: Pass, index: int) -> int:
    return _outstanding_usd6(run, index) if run.breached else 0


def _residual_due(run: Pass, _index: int) -> int:
    return run.left_usd6


def _outstanding_usd6(run: Pass, index: int) -> int:
    return sum(run.state.classes[i].outstanding_usd6 for i in run.terms.steps[index].classes)


_DUE: Mapping[StepKind, Callable[[Pass, int], int]] = MappingProxyType(
    {
        StepKind.FEE: _fee_due,
        StepKind.ADVANCE: _advance_due,
        StepKind.HEDGE: _hedge_due,
        StepKind.INTEREST: _interest_due,
        StepKind.PRINCIPAL: _principal_due,
        StepKind.FIRST_PRIORITY: _first_priority_due,
        StepKind.RESERVE: _reserve_due,
        StepKind.TURBO: _turbo_due,
        StepKind.RESIDUAL: _residual_due,
    }
)


# ------------------------------------------------------------------ what a payment changes


def _book(run: Pass, index: int, paid_usd6: int) -> DealState:
    state, step = run.state, run.terms.steps[index]
    match step.kind:
        case StepKind.FEE:
            fees = list(state.fees_owed_usd6)
            fees[index] -= paid_usd6
            return replace(state, fees_owed_usd6=tuple(fees))
        case StepKind.ADVANCE:
            return replace(state, advances_usd6=state.advances_usd6 - paid_usd6)
        case StepKind.HEDGE:
            return replace(state, hedge_owed_usd6=state.hedge_owed_usd6 - paid_usd6)
        case StepKind.INTEREST:
            return _book_interest(state, step.classes, paid_usd6)
        case StepKind.PRINCIPAL:
            sequential = not step.pro_rata or run.breached or state.accelerated
            return _book_principal(state, step.classes, paid_usd6, sequential=sequential)
        case StepKind.FIRST_PRIORITY | StepKind.TURBO:
            return _book_principal(state, step.classes, paid_usd6, sequential=True)
        case StepKind.RESERVE:
            return replace(state, reserve_usd6=state.reserve_usd6 + paid_usd6)
        case StepKind.RESIDUAL:
            return state


def _book_interest(state: DealState, places: tuple[int, ...], paid_usd6: int) -> DealState:
    """Classes of one interest step rank equally: by what each is owed."""
    owed_usd6 = [state.classes[i].interest_owed_usd6 for i in places]
    classes = list(state.classes)
    for place, owed, share_usd6 in zip(places, owed_usd6, split_pro_rata(paid_usd6, owed_usd6), strict=True):
        classes[place] = replace(classes[place], interest_owed_usd6=owed - share_usd6)
    return replace(state, classes=tuple(classes))


def _book_principal(
    state: DealState, places: tuple[int, ...], paid_usd6: int, *, sequential: bool
) -> DealState:
    balances_usd6 = [state.classes[i].outstanding_usd6 for i in places]
    split = split_sequential if sequential else split_pro_rata
    classes = list(state.classes)
    for place, share_usd6 in zip(places, split(paid_usd6, balances_usd6), strict=True):
        balance = classes[place]
        classes[place] = replace(
            balance,
            outstanding_usd6=balance.outstanding_usd6 - share_usd6,
            principal_paid_usd6=balance.principal_paid_usd6 + share_usd6,
        )
    return replace(state, classes=tuple(classes))


def split_sequential(amount_usd6: int, balances_usd6: list[int]) -> list[int]:
    """Fill each balance in order, as far as the amount reaches."""
    shares_usd6 = []
    for balance_usd6 in balances_usd6:
        shares_usd6.append(min(amount_usd6, balance_usd6))
        amount_usd6 -= shares_usd6[-1]
    return shares_usd6


def split_pro_rata(amount_usd6: int, balances_usd6: list[int]) -> list[int]:
    """Split by balance, each share rounded down; what the roundings leave goes in order.

    The amount is at most the sum of the balances, so that no share exceeds its balance.
    """
    total_usd6 = sum(balances_usd6)
    if not total_usd6:
        return [0] * len(balances_usd6)
    floors_usd6 = [amount_usd6 * balance // total_usd6 for balance in balances_usd6]
    room_usd6 = [balance - share for balance, share in zip(balances_usd6, floors_usd6, strict=True)]
    rest_usd6 = split_sequential(amount_usd6 - sum(floors_usd6), room_usd6)
    return [share + extra for share, extra in zip(floors_usd6, rest_usd6, strict=True)]
