"""Random deals with random reports through the waterfall, and through a second one written from the document.

any deal, any reports
├── identity       available + reserve out = sum of the steps + left, at every distribution
├── nothing        negative: no balance, no payment, nothing left
├── principal      paid + written down + outstanding = original, for every class at every report
├── cash           credited + advanced + opening reserve = paid out + reserve + still available; after a
│                  correction the higher of credited and allocated stands for credited
├── corrections    what was allocated and distributed never falls, whatever credit and register do
├── seniority      once a step is short, a later step gets only what the reserve gives it; what the reserve
│                  step, or the residual of a repaid deal, releases is new cash from there on
├── loss           a class bears one before the legal final only when all classes below it are gone
└── twin           the naive implementation below agrees to the last unit
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.tranches import (
    Basis,
    ClassTerms,
    DealTerms,
    PeriodReport,
    PoolReport,
    Step,
    StepKind,
    Trigger,
    on_report,
    opening_state,
    validate_deal,
)
from rwa_sim.domain.tranches.checks import DAY_COUNTS

WAD, BPS = 10**18, 10**4
K = StepKind


# ── a second implementation, from docs/waterfall.md: mutable, exact rationals, no code in common ──────────


@dataclass
class Note:
    terms: ClassTerms
    out: int
    paid: int = 0
    lost: int = 0
    owed: int = 0
    arrears: int = 0
    coupons: int = 0


@dataclass
class Naive:
    """The document read line by line. `log` has (due, from cash, from reserve, released) of each step."""

    terms: DealTerms
    notes: list[Note]
    fees: dict[int, int]
    k: int = 0
    hedge: int = 0
    advances: int = 0
    spare: int = 0
    reserve: int = 0
    credited: int = 0
    allocated: int = 0
    wh: int = 0
    distributed_wh: int = 0
    pool: int = 0
    since: int = 0
    defaulted: bool = False
    accelerated: bool = False
    latched: bool = False
    log: list[tuple[int, int, int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, terms: DealTerms) -> Naive:
        return cls(terms, [Note(c, c.original_usd6) for c in terms.classes], dict.fromkeys(range(16), 0))

    def outstanding(self, places=range(4)) -> int:
        return sum(note.out for i, note in enumerate(self.notes) if i in places)

    def all_due(self) -> bool:
        return self.accelerated or self.k >= self.terms.period_count

    def take(self, report: PeriodReport, pool: PoolReport) -> bool:
        """One report; whether it distributed."""
        opening_pool = self.pool if self.k else pool.performing_usd6
        self.k, self.credited, self.wh = report.period_id, report.credited_usd6, report.register_wh
        loss = pool.loss_usd6
        for note in self.notes[::-1]:
            hit = min(loss, note.out)
            note.out, note.lost, loss = note.out - hit, note.lost + hit, loss - hit
        start, end = (
            datetime.fromtimestamp(s, UTC).date() for s in (report.period_start_s, report.period_end_s)
        )
        for note in self.notes:
            rule = day_count(note.terms.day_count)
            if rule.name == "ActualActual.ISMA":
                years = Fraction(1, note.terms.frequency)
            else:
                years = rule.year_fraction(start, end)
            note.owed += floor(Fraction(note.out * note.terms.rate_wad, WAD) * years)
            note.owed += floor(Fraction(note.arrears * note.terms.default_rate_wad, WAD) * years)
        years = day_count("30/360.BondBasis").year_fraction(start, end)
        for i, step in enumerate(self.terms.steps):
            if step.kind == K.FEE:
                basis = self.outstanding() if step.basis == Basis.NOTES else opening_pool
                self.fees[i] += floor(Fraction(basis * step.rate_wad, WAD) * years) + step.fixed_usd6
        self.pool = pool.performing_usd6
        self.hedge += pool.hedge_due_usd6
        self.advances += pool.advance_usd6
        self.spare += pool.advance_usd6
        window = self.terms.cure_window_s
        if window and self.since and report.period_end_s - self.since >= window:
            self.defaulted = True
            self.accelerated = self.accelerated or self.terms.accelerate_on_default
        came = max(0, self.wh - self.distributed_wh)
        if self.terms.trigger == Trigger.CREDIT:
            came = max(0, self.credited - self.allocated)
        late = report.period_end_s >= self.terms.maturity_s or self.terms.trigger == Trigger.SCHEDULE
        if not (late or self.accelerated or came >= self.terms.threshold):
            return False
        self.distribute(pool, report.period_end_s)
        return True

    def scheduled(self, note: Note) -> int:
        if self.all_due():
            return note.out
        done = min(self.k - note.terms.principal_start + 1, note.terms.principal_periods)
        if done <= 0:
            return 0
        planned = floor(Fraction(note.terms.original_usd6 * done, note.terms.principal_periods))
        return max(0, min(note.out, planned - note.paid - note.lost))

    def is_breached(self, pool: PoolReport, available: int) -> bool:
        terms, breached = self.terms, self.latched
        if self.pool:
            if terms.min_oc_bps and self.outstanding():
                breached |= Fraction(self.pool, self.outstanding()) < Fraction(terms.min_oc_bps, BPS)
            if terms.max_delinquency_bps:
                breached |= Fraction(pool.delinquent_usd6, self.pool) > Fraction(
                    terms.max_delinquency_bps, BPS
                )
        service = sum(note.owed + self.scheduled(note) for note in self.notes)
        if terms.min_dscr_bps and service:
            ratio = Fraction(max(0, available - sum(self.fees.values())), service)
            breached |= ratio < Fraction(terms.min_dscr_bps, BPS)
        self.latched = breached and terms.latched
        return breached

    def distribute(self, pool: PoolReport, end_s: int) -> None:
        left = max(0, self.credited - self.allocated) + self.spare
        breached = self.is_breached(pool, left)
        before = [(note.owed - note.arrears, note.paid) for note in self.notes]
        self.log = []
        for i, step in enumerate(self.terms.steps):
            released = 0
            if step.kind == K.RESERVE:
                target = max(step.fixed_usd6, floor(Fraction(self.outstanding() * step.bps, BPS)))
                if self.all_due() or self.outstanding() == 0:
                    target = 0
                released = max(0, self.reserve - target)
                self.reserve -= released
                left += released
                due = target - self.reserve
            elif step.kind == K.RESIDUAL and self.outstanding() == 0:
                released, self.reserve = self.reserve, 0
                left += released
                due = left
            else:
                due = self.due(i, step, breached, left)
            cash = min(left, due)
            left -= cash
            drawn = 0
            if step.reserve or (self.all_due() and step.kind != K.RESERVE):
                drawn = min(self.reserve, due - cash)
                self.reserve -= drawn
            self.book(i, step, cash + drawn, breached)
            self.log.append((due, cash, drawn, released))
        self.allocated, self.spare = max(self.allocated, self.credited), left
        self.distributed_wh = max(self.distributed_wh, self.wh)
        for note, (current, paid) in zip(self.notes, before, strict=True):
            note.arrears = note.owed
            if current or note.paid > paid:
                note.coupons += 1
            if self.k >= self.terms.period_count:
                note.lost, note.out, note.owed, note.arrears = note.lost + note.out, 0, 0, 0
        controlling = [note for note in self.notes if note.out or note.owed][:1]
        if not controlling or controlling[0].arrears == 0:
            self.since = 0
        elif self.since == 0:
            self.since = end_s

    def due(self, i: int, step: Step, breached: bool, left: int) -> int:
        own = self.outstanding(step.classes)
        if step.kind == K.PRINCIPAL:
            if self.all_due():
                return own
            if step.to_pool:
                target = max(step.fixed_usd6, floor(Fraction(self.pool * step.bps, BPS)))
                return min(own, max(0, self.outstanding() - max(0, self.pool - target)))
            return sum(self.scheduled(self.notes[c]) for c in step.classes)
        return {
            K.FEE: self.fees[i],
            K.ADVANCE: self.advances,
            K.HEDGE: self.hedge,
            K.INTEREST: sum(self.notes[c].owed for c in step.classes),
            K.FIRST_PRIORITY: max(0, own - self.pool),
            K.TURBO: own if breached else 0,
            K.RESIDUAL: left,
        }[step.kind]

    def book(self, i: int, step: Step, paid: int, breached: bool) -> None:
        if step.kind == K.FEE:
            self.fees[i] -= paid
        elif step.kind == K.ADVANCE:
            self.advances -= paid
        elif step.kind == K.HEDGE:
            self.hedge -= paid
        elif step.kind == K.INTEREST:
            total, rest = sum(self.notes[c].owed for c in step.classes), paid
            shares = [floor(Fraction(paid * self.notes[c].owed, total)) if total else 0 for c in step.classes]
            for share, c in zip(shares, step.classes, strict=True):
                self.notes[c].owed -= share
                rest -= share
            for c in step.classes:
                share = min(rest, self.notes[c].owed)
                self.notes[c].owed -= share
                rest -= share
        elif step.kind == K.RESERVE:
            self.reserve += paid
        elif step.kind != K.RESIDUAL:
            own, rest = self.outstanding(step.classes), paid
            if step.pro_rata and not breached and not self.accelerated and own:
                for share, c in [(floor(Fraction(paid * self.notes[c].out, own)), c) for c in step.classes]:
                    self.repay(c, share)
                    rest -= share
            for c in step.classes:
                share = min(rest, self.notes[c].out)
                self.repay(c, share)
                rest -= share

    def repay(self, c: int, share: int) -> None:
        self.notes[c].out -= share
        self.notes[c].paid += share


# ── random deals ───────────────────────────────────────────────────────────

amounts = st.one_of(st.integers(0, 20), st.integers(0, 10**7), st.integers(0, 10**13))
rates = st.one_of(st.integers(0, 2 * 10**17), st.integers(0, WAD))
START = date(2024, 1, 31)


@st.composite
def classes_of(draw, period_count: int):
    classes = []
    for name in "ABCD"[: draw(st.integers(1, 4))]:
        start = draw(st.integers(1, period_count))
        classes.append(
            ClassTerms(
                name=name,
                original_usd6=draw(st.one_of(st.integers(1, 10**12), st.integers(10**9, 10**13))),
                rate_wad=draw(rates),
                default_rate_wad=draw(rates),
                day_count=draw(st.sampled_from(DAY_COUNTS)),
                frequency=draw(st.sampled_from((1, 2, 4, 12))),
                principal_start=start,
                principal_periods=draw(st.integers(1, period_count - start + 1)),
            )
        )
    return tuple(classes)


@st.composite
def steps_of(draw, count: int):
    covered = draw(st.booleans())
    flag = st.booleans() if covered else st.just(False)
    some = st.sets(st.integers(0, count - 1), min_size=1).map(lambda places: tuple(sorted(places)))
    joint = draw(st.booleans())
    groups = [tuple(range(count))] if joint else [(place,) for place in range(count)]
    extra = [
        Step(
            kind=K.PRINCIPAL,
            classes=group,
            pro_rata=len(group) > 1 and draw(st.booleans()),
            to_pool=(to_pool := draw(st.booleans())),
            bps=draw(st.integers(0, 3000)) if to_pool else 0,
            fixed_usd6=draw(amounts) if to_pool else 0,
            reserve=draw(flag),
        )
        for group in groups
    ]
    for kind in draw(st.lists(st.sampled_from([K.FEE, K.ADVANCE, K.HEDGE]), max_size=3)):
        extra.append(
            Step(
                kind=kind,
                payee="payee",
                rate_wad=draw(rates) if kind is K.FEE else 0,
                fixed_usd6=draw(amounts) if kind is K.FEE else 0,
                basis=draw(st.sampled_from(Basis)) if kind is K.FEE else Basis.NOTES,
                reserve=draw(flag),
            )
        )
    for kind in draw(st.lists(st.sampled_from([K.FIRST_PRIORITY, K.TURBO]), max_size=2)):
        extra.append(Step(kind=kind, classes=draw(some), reserve=draw(flag)))
    if covered or draw(st.booleans()):
        extra.append(Step(kind=K.RESERVE, fixed_usd6=draw(amounts), bps=draw(st.integers(0, BPS))))
    ranks = [(place,) for place in range(count)]
    if count > 1 and draw(st.booleans()):
        ranks[:2] = [(0, 1)]
    steps = [Step(kind=K.INTEREST, classes=places, reserve=draw(flag)) for places in ranks]
    for step in extra:
        steps.insert(draw(st.integers(0, len(steps))), step)
    if draw(st.booleans()):
        steps.append(Step(kind=K.RESIDUAL, payee="owner"))
    return tuple(steps)


@st.composite
def deals(draw):
    period_count = draw(st.sampled_from((1, 2, 4, 6, 8, 12)))
    classes = draw(classes_of(period_count))
    cure_window_s = draw(st.sampled_from((1, 1, 1, 40 * 86_400, 0)))
    trigger = draw(st.sampled_from(Trigger))
    return DealTerms(
        classes=classes,
        steps=draw(steps_of(len(classes))),
        trigger=trigger,
        threshold=0 if trigger is Trigger.SCHEDULE else draw(st.sampled_from((1, 1, 1, 10**6))),
        period_count=period_count,
        maturity_s=month_end_s(draw(st.integers(1, period_count))),
        min_oc_bps=draw(st.sampled_from((0, 9_000, 10_000, 12_000))),
        max_delinquency_bps=draw(st.sampled_from((0, 500))),
        min_dscr_bps=draw(st.sampled_from((0, 0, 11_000))),
        latched=draw(st.booleans()),
        cure_window_s=cure_window_s,
        accelerate_on_default=bool(cure_window_s) and draw(st.sampled_from((True, True, False))),
    )


@st.composite
def pools(draw, notes_usd6: int):
    if draw(st.integers(0, 3)) == 0:
        return PoolReport()
    return PoolReport(
        performing_usd6=notes_usd6 * draw(st.integers(50, 130)) // 100,
        delinquent_usd6=notes_usd6 * draw(st.integers(0, 12)) // 100,
        loss_usd6=draw(st.one_of(st.just(0), st.just(0), amounts)),
        hedge_due_usd6=draw(amounts),
        advance_usd6=draw(amounts),
    )


@st.composite
def cases(draw):
    terms = draw(deals())
    original_usd6 = sum(c.original_usd6 for c in terms.classes)
    rows = draw(
        st.lists(
            st.tuples(
                st.one_of(
                    st.just(0),
                    st.integers(0, original_usd6 // 1000),
                    st.integers(0, original_usd6 // 100),
                    st.integers(0, original_usd6 // 10),
                    st.integers(0, 2 * original_usd6),
                    st.integers(-original_usd6 // 10, 0),  # the report before is corrected by more than came
                ),
                st.sampled_from((0, 1, 10**6, -(10**6))),
                pools(original_usd6),
            ),
            min_size=min(4, terms.period_count + 1),
            max_size=terms.period_count + 2,
        )
    )
    return terms, draw(st.one_of(st.just(0), amounts)), rows


def month_end_s(index: int) -> int:
    months = START.month - 1 + index
    year, month = START.year + months // 12, months % 12 + 1
    return int(datetime(year, month, monthrange(year, month)[1], tzinfo=UTC).timestamp())


SEEN = {"deals": 0, "distributions": 0, "short": 0, "drawn": 0, "breached": 0, "accelerated": 0, "final": 0}
SEEN["overpaid"] = 0


@settings(max_examples=400)
@given(case=cases())
def test_any_deal_keeps_the_rules_and_agrees_with_the_naive_one(case):
    terms, reserve_usd6, rows = case
    validate_deal(terms, "random")
    state, naive = opening_state(terms), Naive.of(terms)
    state = type(state)(classes=state.classes, fees_owed_usd6=state.fees_owed_usd6, reserve_usd6=reserve_usd6)
    naive.reserve = reserve_usd6
    SEEN["deals"] += 1
    credited = register = advanced = paid_out = 0
    for k, (cash, wh, pool) in enumerate(rows, start=1):
        credited, register = max(0, credited + cash), max(0, register + wh)
        advanced += pool.advance_usd6
        marks_before = (state.allocated_usd6, state.distributed_wh)
        report = PeriodReport(
            period_id=k,
            period_start_s=month_end_s(k - 1),
            period_end_s=month_end_s(k),
            register_wh=register,
            credited_usd6=credited,
        )
        below_gone = [sum(c.outstanding_usd6 for c in state.classes[i + 1 :]) for i in range(4)]
        lost_before = [c.written_down_usd6 for c in state.classes]

        outcome = on_report(terms, state, report, pool)
        distributed = naive.take(report, pool)
        state, paid = outcome.state, outcome.distribution

        assert (paid is not None) == distributed
        check_state(terms, state)
        check_twin(state, naive)
        assert state.allocated_usd6 >= marks_before[0]
        assert state.distributed_wh >= marks_before[1]
        SEEN["overpaid"] += credited < state.allocated_usd6
        if k < terms.period_count:
            for i, c in enumerate(state.classes):
                hit = c.written_down_usd6 - lost_before[i]
                assert not hit or pool.loss_usd6 - hit >= below_gone[i], "junior first"
        if paid is not None:
            check_distribution(terms, paid)
            check_seniority(terms, paid.step_paid_usd6, naive.log, all_due=naive.all_due())
            paid_out += sum(
                amount
                for step, amount in zip(terms.steps, paid.step_paid_usd6, strict=True)
                if step.kind is not K.RESERVE
            )
            SEEN["distributions"] += 1
            SEEN["drawn"] += any(drawn for _, _, drawn, _ in naive.log)
            SEEN["short"] += any(c.arrears_usd6 for c in state.classes)
            SEEN["breached"] += paid.breached
            SEEN["final"] += k == terms.period_count
        SEEN["accelerated"] += state.accelerated
        available = max(0, credited - state.allocated_usd6) + state.advance_available_usd6
        came = max(credited, state.allocated_usd6) + advanced + reserve_usd6
        assert came == paid_out + state.reserve_usd6 + available


def check_state(terms, state):
    for c, balance in zip(terms.classes, state.classes, strict=True):
        parts = (balance.outstanding_usd6, balance.principal_paid_usd6, balance.written_down_usd6)
        assert min(parts) >= 0
        assert sum(parts) == c.original_usd6
        assert 0 <= balance.arrears_usd6 <= balance.interest_owed_usd6
    assert min(state.fees_owed_usd6) >= 0
    assert min(state.hedge_owed_usd6, state.advances_usd6, state.reserve_usd6) >= 0
    assert min(state.credited_usd6, state.advance_available_usd6) >= 0


def check_distribution(terms, paid):
    assert paid.available_usd6 + paid.reserve_out_usd6 == sum(paid.step_paid_usd6) + paid.left_usd6
    assert min(*paid.step_paid_usd6, paid.left_usd6, paid.reserve_in_usd6, paid.reserve_out_usd6) >= 0
    to_classes = sum(
        amount for step, amount in zip(terms.steps, paid.step_paid_usd6, strict=True) if step.classes
    )
    assert to_classes == sum(
        c.interest_paid_usd6 + c.arrears_paid_usd6 + c.principal_paid_usd6 for c in paid.classes
    )
    for c in paid.classes:
        assert 0 <= c.interest_paid_usd6 <= c.interest_due_usd6
        assert min(c.arrears_paid_usd6, c.principal_paid_usd6) >= 0


def check_seniority(terms, step_paid_usd6, log, *, all_due):
    """Once a step is short no cash is left; only the reserve's draws and release pay after it."""
    cash_gone = False
    for step, paid, (due, cash, drawn, released) in zip(terms.steps, step_paid_usd6, log, strict=True):
        assert paid == cash + drawn <= due
        if released:
            assert step.kind in (K.RESERVE, K.RESIDUAL)
            cash_gone = False
        if cash_gone:
            assert paid == drawn, "cash went past a step that was short"
        assert not drawn or step.reserve or all_due
        cash_gone = cash_gone or cash < due


def check_twin(state, naive):
    assert [
        (
            c.outstanding_usd6,
            c.principal_paid_usd6,
            c.written_down_usd6,
            c.interest_owed_usd6,
            c.arrears_usd6,
            c.coupon_count,
        )
        for c in state.classes
    ] == [(n.out, n.paid, n.lost, n.owed, n.arrears, n.coupons) for n in naive.notes]
    assert list(state.fees_owed_usd6) == [naive.fees[i] for i in range(len(state.fees_owed_usd6))]
    assert (
        state.hedge_owed_usd6,
        state.advances_usd6,
        state.advance_available_usd6,
        state.reserve_usd6,
        state.allocated_usd6,
        state.distributed_wh,
        state.arrears_since_s,
        state.defaulted,
        state.accelerated,
        state.breach_latched,
    ) == (
        naive.hedge,
        naive.advances,
        naive.spare,
        naive.reserve,
        naive.allocated,
        naive.distributed_wh,
        naive.since,
        naive.defaulted,
        naive.accelerated,
        naive.latched,
    )


def test_the_random_deals_were_not_all_the_same():
    """Runs after the property: the cases that matter were among them."""
    if not SEEN["deals"]:
        pytest.skip("counts what the property has seen, which did not run")
    assert SEEN["deals"] >= 400
    assert all(count >= 20 for count in SEEN.values()), SEEN
