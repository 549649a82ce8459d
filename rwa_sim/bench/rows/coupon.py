"""A coupon to a hundred thousand holders: time, memory, and whether a holder costs the same as among a thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rwa_sim.bench.apart import OncePerRound
from rwa_sim.bench.holders import SEED, Paid, pay_coupon
from rwa_sim.bench.profiling import profiled
from rwa_sim.bench.row import Better, Meter, Of, Row, Series, Size, Target

ROUNDS = 3
_paid: OncePerRound[Paid] = OncePerRound(pay_coupon)
WHAT = (
    "to 100,000 registered holders of a permissioned bond on revm, in a process of its own: declared, funded, paid in "
    "pages of fifty, every payment read and held against the exact share"
)


def _sizes(size: Size) -> tuple[int, ...]:
    return size.pick((1_000, 10_000, 100_000), (50, 100))


def measured(
    value: Callable[[int, Size], float], *, drawn: bool = False
) -> Callable[[Size], AbstractContextManager[Meter]]:
    """A row that says one thing of the coupon of a round; one of them draws the figure."""

    @contextmanager
    def open_row(size: Size) -> Iterator[Meter]:
        def series() -> Series:
            points = tuple((float(count), _paid(1, count).us_per_holder) for count in _sizes(size))
            return Series(size="holders", cost="µs a holder", points=points)

        yield Meter(
            measure=lambda number: value(number, size),
            series=series if drawn else None,
            profile=lambda: profiled(lambda: pay_coupon(_sizes(size)[1])),
        )

    return open_row


def _seconds(number: int, size: Size) -> float:
    return _paid(number, _sizes(size)[-1]).seconds


def _gigabytes(number: int, size: Size) -> float:
    return _paid(number, _sizes(size)[-1]).most_bytes / 1e9


def _growth(number: int, size: Size) -> float:
    costs = [_paid(number, holders).us_per_holder for holders in (_sizes(size)[0], _sizes(size)[-1])]
    return costs[1] / costs[0]


ROWS = (
    Row(
        key="coupon",
        title="coupon to 100,000 holders",
        unit="s",
        definition=f"Seconds for one coupon {WHAT}. Registering and issuing come before.",
        open=measured(_seconds),
        better=Better.LESS,
        target=Target(of=Of.VALUE, at_most=60),
        seed=SEED,
        most_rounds=ROUNDS,
    ),
    Row(
        key="coupon-memory",
        title="memory of that coupon",
        unit="GB",
        definition=f"Most resident memory while a coupon is paid {WHAT}.",
        open=measured(_gigabytes),
        better=Better.LESS,
        target=Target(of=Of.VALUE, at_most=2),
        seed=SEED,
        most_rounds=ROUNDS,
    ),
    Row(
        key="coupon-growth",
        title="a holder among 100,000 over a holder among 1,000",
        unit="x",
        definition=f"Time of a holder when a coupon is paid {WHAT}, over a holder's time among 1,000, same round.",
        open=measured(_growth, drawn=True),
        better=Better.LESS,
        target=Target(of=Of.VALUE, at_most=1.25),
        seed=SEED,
        most_rounds=ROUNDS,
    ),
)
