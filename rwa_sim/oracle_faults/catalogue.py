"""The 32 classes of oracle fault, each with the cases that are played.

The number and name of a class are those of the project's fault taxonomy. Every class lies at one point
of the path; a class whose remedy does not exist yet says so in `not_yet`, and is measured all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import pairwise

from oracles.adapters.tariffs import revenue
from oracles.devices.trust_account import StatementLine
from oracles.exchange import MeterExchange, SignedExchange, sign_exchange
from oracles.faults import files, nodes
from oracles.faults import readings as streams
from oracles.guard import DAY_S
from oracles.keys import SecretKey
from oracles.quotes import Quote
from oracles.registry import ceiling_wh
from oracles.reporting import equivocators
from oracles.schema import EntryKind, MeterReading, Observation, SignedReport
from rwa_sim.chain.signing import derive_account
from rwa_sim.errors import InputError
from rwa_sim.oracle_faults.series import Series
from rwa_sim.oracle_faults.world import METER, NEIGHBOUR, Kit, Setup, World

POINTS = ("device", "transport", "adapter", "signer", "chain", "bank")
CHALLENGE = "not yet: bonded challenge window, bounds on chain"
_TTL_S = 31 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultClass:
    """One row of the taxonomy."""

    number: int
    name: str
    point: str
    answer: str  # what the path does about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way a class happens. `not_yet` names what is missing where the path has no full answer.

    `truth` is the setup that pays what is right, where that is not simply the series.
    """

    number: int
    letter: str
    text: str
    setup: Setup
    truth: Setup | None = None
    not_yet: str = ""

    @property
    def key(self) -> str:
        """Such as 4b."""
        return f"{self.number}{self.letter}"


def _class(number: int, name: str, point: str, answer: str) -> FaultClass:
    return FaultClass(number=number, name=name, point=point, answer=answer)


CLASSES = (
    _class(1, "stuck sensor", "device", "no rise, no pay; the catch-up counts if physics and sky allow it"),
    _class(2, "spike up", "device", "quarantined: beyond nameplate, or contradicted by what follows"),
    _class(3, "zero at night", "device", "below the watermark: ignored, never a reset"),
    _class(4, "unit error", "device", "quarantined and held as incomplete; a file is refused"),
    _class(5, "scale factor torn", "adapter", "answer refused; the next register covers it"),
    _class(6, "rollover", "device", "unrolled if the registry declares the width; else a drop, and held"),
    _class(7, "meter exchange", "device", "counts with a record of two parties; else a drop, and held"),
    _class(8, "clock drift", "device", "ahead: refused; behind: held when the lag exceeds the bound"),
    _class(9, "summer time", "adapter", "labels read in the zone that the logger follows"),
    _class(10, "date format", "adapter", "out of range: refused; a lost device clock: quarantined"),
    _class(11, "duplicate", "transport", "counts once"),
    _class(12, "conflicting duplicate", "device", "neither counts; both are kept as evidence"),
    _class(13, "out of order", "transport", "ordered by the device's own number"),
    _class(14, "late", "transport", "before the report: counts; after: the next register covers it"),
    _class(15, "missing", "transport", "register difference covers it; below completeness: held"),
    _class(16, "imputed value", "device", "substitutes pay nothing"),
    _class(17, "tampered payload", "transport", "signature over the raw bytes fails"),
    _class(18, "malleable or foreign signature", "chain", "refused, each by its own error"),
    _class(19, "replayed report", "chain", "refused: the period has its report"),
    _class(20, "wrong plant", "transport", "key, name and asset are bound in the registry"),
    _class(21, "at most f signers lie", "signer", "lower median unmoved; the deviation names the signer"),
    _class(22, "more than f signers collude", "signer", "bounded by honest signers, cash guard, physics"),
    _class(23, "common-mode source", "device", "bounded by nameplate and clear sky"),
    _class(24, "signers offline", "signer", "f: no effect; beyond: halt, and go on when they are back"),
    _class(25, "equivocating signer", "signer", "refused by the node; a lone second signature is no quorum"),
    _class(26, "transmitter withholds", "chain", "anyone may transmit"),
    _class(27, "reorganisation", "chain", "the same report again pays once"),
    _class(28, "stale price or rate", "bank", "no conversion with an old quote"),
    _class(29, "negative price or delta", "bank", "signed arithmetic; a register may not fall"),
    _class(30, "bank statement", "bank", "booked and not reversed, each booking once"),
    _class(31, "rounding drift", "adapter", "exact decimals, one floor on the running total"),
    _class(32, "poisoned watermark", "device", "contradicted or beyond the sky: not accepted, or held"),
)


def cases(series: Series, fault_s: int) -> list[Case]:
    """Every case of every class, for one series."""
    found = [*_device(series, fault_s), *_transport(series, fault_s), *_files(series)]
    found += [*_signers(series), *_chain(), *_bank(series)]
    return sorted(found, key=lambda case: (case.number, case.letter))


# ── device ─────────────────────────────────────────────────────────────────


def _reading_case(number: int, letter: str, text: str, injector: object, **terms: object) -> Case:
    """A case on the stream of readings; the device's key is added where the injector asks for it."""
    asks = injector.__code__.co_varnames  # type: ignore[attr-defined]
    meter, began_s = terms.pop("meter", {}), terms.pop("began_s", None)

    def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
        given = {"key": kit.key, "rng": kit.rng}
        used = {name: value for name, value in given.items() if name in asks}
        return injector(readings, **(used | terms))  # type: ignore[operator,no-any-return]

    setup = Setup(readings=spoil, meter=meter, began_s=began_s)  # type: ignore[arg-type]
    return Case(number=number, letter=letter, text=text, setup=setup)


def _device(series: Series, at_s: int) -> list[Case]:
    _, start_s, end_s, _ = series.boundaries_s
    interval_s, case = series.interval_s, _reading_case
    interval_wh = series.nameplate_w * interval_s // 3_600
    half_wh = series.register_at(at_s)
    register_32 = {"initial_register_wh": 2**32 - half_wh}
    wraps = {"width_bits": 32, "first_wh": 2**32 - half_wh, "began_s": at_s}
    gap_wh = ceiling_wh(series.nameplate_w, 2 * DAY_S)
    drift_s = interval_s // 100
    return [
        case(1, "a", "two days in the month", streams.stuck, start_s=at_s, end_s=at_s + 2 * DAY_S),
        case(1, "b", "over the end of the month", streams.stuck, start_s=end_s - DAY_S, end_s=end_s + DAY_S),
        case(2, "a", "one reading x 10", streams.spike, at_s=at_s, factor=10),
        case(2, "b", "one reading x 1,000,000", streams.spike, at_s=at_s, factor=10**6),
        case(2, "c", "the month's last reading x 10", streams.spike, at_s=end_s, factor=10),
        case(
            2, "d", "the last reading, within nameplate", streams.raised,
            start_s=end_s - interval_s, end_s=end_s, by_wh=interval_wh // 2,
        ),
        case(3, "a", "every night", streams.zero_at, second_of_day=8 * 3_600),
        case(4, "a", "register x 1,000 from now on", streams.wrong_unit, start_s=at_s, times=1_000),
        case(4, "b", "register / 1,000 from now on", streams.wrong_unit, start_s=at_s, per=1_000),
        case(4, "c", "register x 1,000 from the first day", streams.wrong_unit, start_s=0, times=1_000),
        case(6, "a", "32 bits, declared", streams.rolled_over, **wraps, meter=register_32 | {"width_bits": 32}),
        case(6, "b", "32 bits, not declared", streams.rolled_over, **wraps, meter=register_32),
        _exchange_case(series, at_s, "a", "record of two parties", 2),
        _exchange_case(series, at_s, "b", "no record", 0),
        _exchange_case(series, at_s, "c", "record of one party", 1),
        case(8, "a", "ahead, growing to 20 min", streams.clock_drift, start_s=at_s, drift_s=drift_s, most_s=1_200),
        case(
            8, "b", "behind, growing to two intervals", streams.clock_drift, start_s=start_s, drift_s=-drift_s,
            most_s=2 * interval_s,
        ),
        case(8, "c", "behind, growing to 5 min", streams.clock_drift, start_s=at_s, drift_s=-drift_s, most_s=300),
        case(
            10, "a", "clock in the year 2000 for a day", streams.clock_lost, start_s=at_s, end_s=at_s + DAY_S,
            to_s=946_684_800,
        ),
        case(12, "a", "2 % of the readings", streams.conflicting, percent=2, by_wh=interval_wh // 3),
        case(16, "a", "a day, last value", streams.imputed, start_s=at_s, end_s=at_s + DAY_S),
        case(
            16, "b", "three days, too high", streams.imputed, start_s=at_s, end_s=at_s + 3 * DAY_S,
            step_wh=interval_wh // 2,
        ),
        case(29, "b", "a day below zero", streams.fallen, start_s=at_s, end_s=at_s + DAY_S, by_wh=10**9),
        case(
            32, "a", "two days' nameplate after a gap, confirmed twice", _poison, gap_s=at_s, end_s=at_s + 2 * DAY_S,
            until_s=at_s + 2 * DAY_S + 3 * interval_s, by_wh=gap_wh // 2,
        ),
        case(
            32, "b", "the same on the last day, standing until after the close", _poison, gap_s=end_s - 3 * DAY_S,
            end_s=end_s - DAY_S, until_s=end_s + 2 * DAY_S, by_wh=gap_wh // 2,
        ),
        replace(
            case(
                32, "c", "a fifth of a nameplate hour, standing until after the close", streams.raised,
                start_s=end_s - 6 * 3_600, end_s=end_s + 2 * DAY_S, by_wh=series.nameplate_w // 5,
            ),
            not_yet="not yet: governed correction; the truth nets it out as it rises",
        ),
    ]  # fmt: skip


def _poison(
    readings: Iterable[MeterReading], *, key: SecretKey, gap_s: int, end_s: int, until_s: int, by_wh: int
) -> Iterable[MeterReading]:
    """Nothing arrives over (gap, end]; then, until `until_s`, the register is `by_wh` too high."""
    kept = (reading for reading in readings if not gap_s < reading.read_at_s <= end_s)
    return streams.raised(kept, key=key, start_s=end_s, end_s=until_s, by_wh=by_wh)


def _exchange_case(series: Series, at_s: int, letter: str, text: str, parties: int) -> Case:
    operator, auditor = (SecretKey(derive_account(0, name).key) for name in ("operator", "auditor"))
    first_seq = next(n for n, (read_at_s, _) in enumerate(series.registers, start=1) if read_at_s > at_s)
    initial_wh = 7

    def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
        return streams.exchanged(readings, key=kit.other_key, first_seq=first_seq, initial_wh=initial_wh)

    def prepare(world: World) -> None:
        record = MeterExchange(
            meter_id=METER,
            old_serial="A-1",
            final_wh=series.registers[first_seq - 2][1],
            new_serial="B-2",
            initial_wh=initial_wh,
            first_seq=first_seq,
            at_s=at_s,
            new_public_key=world.kit.other_key.public_key,
        )
        signed: SignedExchange = sign_exchange(record, *(operator, auditor)[:parties])
        try:
            world.network.exchange(signed)
        except InputError as refused:
            world.notice(f"exchange: {refused.key}", at_s, 2)
        else:
            world.registry.succeed(METER, first_seq, record.new_public_key)

    return Case(
        number=7,
        letter=letter,
        text=text,
        setup=Setup(
            readings=spoil,
            meter={"exchange_parties": (operator.address, auditor.address)},
            prepare=prepare if parties else None,
        ),
    )


# ── transport ──────────────────────────────────────────────────────────────


def _transport(series: Series, at_s: int) -> list[Case]:
    _, start_s, end_s, _ = series.boundaries_s
    case, until_s = _reading_case, end_s + 20 * DAY_S
    return [
        case(11, "a", "20 % come two or three times", streams.repeated, percent=20),
        case(13, "a", "each half day shuffled", streams.shuffled, window=DAY_S // 2 // series.interval_s),
        case(
            14, "a", "three days, before the close", streams.late, start_s=end_s - 3 * DAY_S, end_s=end_s,
            delivered_s=end_s + DAY_S // 2,
        ),
        case(
            14, "b", "three days, ten days after the close", streams.late, start_s=end_s - 3 * DAY_S,
            end_s=end_s, delivered_s=end_s + 10 * DAY_S,
        ),
        case(
            14, "c", "one day, ten days after the close", streams.late, start_s=end_s - DAY_S, end_s=end_s,
            delivered_s=end_s + 10 * DAY_S,
        ),
        case(15, "a", "3 % of all", streams.lost, percent=3, start_s=0, end_s=until_s),
        case(15, "b", "30 % of a month", streams.lost, percent=30, start_s=start_s, end_s=end_s),
        case(15, "c", "everything for the rest of the month", streams.lost, percent=100, start_s=at_s, end_s=end_s),
        case(15, "d", "the last day of the month", streams.lost, percent=100, start_s=end_s - DAY_S, end_s=end_s),
        case(17, "a", "2 % changed on the way", streams.tampered, percent=2),
        case(18, "a", "2 % of the readings with a high s", streams.mirrored, percent=2),
        case(20, "a", "another plant's name for a day", streams.renamed, start_s=at_s, end_s=at_s + DAY_S,
             meter_id=NEIGHBOUR),
    ]  # fmt: skip


# ── files and words ────────────────────────────────────────────────────────


def _files(series: Series) -> list[Case]:
    offset_h = -series.guard.day_starts_s // 3_600
    summer = partial(files.follow_summer_time, zone=series.zone, offset_h=offset_h)

    def rows(number: int, letter: str, text: str, spoil: object, **file: object) -> Case:
        return Case(
            number=number,
            letter=letter,
            text=text,
            setup=Setup(rows=lambda each, kit: spoil(each), file=file),  # type: ignore[operator]
        )

    def torn(answers: Iterable[list[int]], kit: Kit) -> Iterable[list[int]]:
        return files.torn_scale(answers, rng=kit.rng, percent=2, scale_at=26)

    return [
        rows(4, "d", "a file of kWh read as Wh", partial(files.rescaled, factor=Decimal("0.001"))),
        rows(4, "e", "a file of Wh read as kWh", partial(files.rescaled, factor=Decimal(1)), unit="kWh"),
        Case(number=5, letter="a", text="2 % of the answers", setup=Setup(words=torn)),
        rows(9, "a", "read in the zone it follows", summer, clock=f"dst_follows:{series.zone}"),
        replace(
            rows(9, "b", "read as labelled", summer),
            not_yet="not yet: the clock is checked against the sun, but not when a meter is connected",
        ),
        rows(10, "b", "a row whose year has lost its century", partial(files.year_without_century, at=900)),
        rows(10, "c", "day and month swapped", files.day_and_month_swapped),
        rows(31, "a", "kWh in binary floating point", files.as_floats, unit="kWh"),
    ]


# ── signers ────────────────────────────────────────────────────────────────


def _times(percent: int) -> nodes.Lie:
    def lie(honest: Observation) -> Observation:
        return replace(
            honest,
            register_wh=honest.register_wh * percent // 100,
            credited_usd6=honest.credited_usd6 * percent // 100,
        )

    return lie


def _register_times(percent: int) -> nodes.Lie:
    return lambda honest: replace(honest, register_wh=honest.register_wh * percent // 100)


def _credit_times(percent: int) -> nodes.Lie:
    return lambda honest: replace(honest, credited_usd6=honest.credited_usd6 * percent // 100)


def _signers(series: Series) -> list[Case]:
    def case(number: int, letter: str, text: str, **terms: object) -> Case:
        not_yet = str(terms.pop("not_yet", ""))
        setup = Setup(**terms)  # type: ignore[arg-type]
        return Case(number=number, letter=letter, text=text, setup=setup, not_yet=not_yet)

    def inflated(percent: int) -> object:
        def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
            start_s = kit.series.boundaries_s[1]
            return streams.inflated(readings, key=kit.key, start_s=start_s, percent=percent)

        return spoil

    return [
        case(21, "a", "one of four doubles everything", lies={1: _times(200)}),
        case(21, "b", "one of four halves everything", lies={2: _times(50)}),
        case(
            22, "a", "three of four double the register, the off-taker pays", not_yet=CHALLENGE,
            lies=dict.fromkeys((0, 1, 2), _register_times(200)),
        ),
        case(22, "b", "three of four double the credit", lies=dict.fromkeys((0, 1, 2), _credit_times(200))),
        case(
            22, "c", "two of four say 101 %, an honest node is away", offline=lambda turn: frozenset({3}),
            lies=dict.fromkeys((0, 1), _register_times(101)),
        ),
        case(23, "a", "the gateway doubles every rise", readings=inflated(200)),
        case(
            23, "b", "the most that is not noticed, see below", readings=inflated(0),
            not_yet="not yet: a second, independent source",
        ),
        case(
            23, "c", "the gateway invents 89 % of a cloudless sky", readings=_cloudless,
            not_yet="not yet: a second, independent source",
        ),
        case(24, "a", "one of four is away", offline=lambda turn: frozenset({turn % 4})),
        case(24, "b", "two are away for a month", offline=lambda turn: frozenset({0, 1}) if turn == 2 else frozenset()),
        case(24, "c", "two stay away", offline=lambda turn: frozenset({0, 1}) if turn >= 2 else frozenset()),
        case(
            25, "a", "one signs two reports of the month", before_report=_second_report,
            not_yet="not yet: removal of the signer on chain",
        ),
    ]  # fmt: skip


def _cloudless(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
    """Who knows the rules says, from the second month on, what they just let pass."""
    start_s, sky = kit.series.boundaries_s[1], kit.series.guard.sky
    base_wh = 0
    for reading in readings:
        if reading.read_at_s <= start_s or sky is None:
            base_wh = reading.register_wh
            yield reading
            continue
        said_wh = base_wh + sky.energy_wh_up(start_s, reading.read_at_s) * 89 // 100
        yield streams.resigned(reading, kit.key, register_wh=said_wh)


def gateway_case(case: Case, percent: int) -> Case:
    """Case 23b at the inflation that was found to be the most that nobody notices."""

    def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
        start_s = kit.series.boundaries_s[1]
        return streams.inflated(readings, key=kit.key, start_s=start_s, percent=percent)

    text = f"every rise {percent} %, the most that no rule notices"
    return replace(case, text=text, setup=replace(case.setup, readings=spoil))


def _second_report(world: World, signed: SignedReport, now_s: int) -> None:
    """Node 0 signs an inflated report besides the true one; it has nobody to sign with it."""
    world.begin_fault(now_s)
    report = signed.report
    lie = replace(report, registers_wh=tuple(each * 2 for each in report.registers_wh))
    second = nodes.signed_by(world.config, lie, SecretKey(world.keys[0]))
    if not world.send(second, now_s) and equivocators(world.config, signed, second):
        world.notice("equivocation proof", now_s, report.period_id)


# ── chain ──────────────────────────────────────────────────────────────────


def _chain() -> list[Case]:
    def case(number: int, letter: str, text: str, not_yet: str = "", **terms: object) -> Case:
        setup = Setup(**terms)  # type: ignore[arg-type]
        return Case(number=number, letter=letter, text=text, setup=setup, not_yet=not_yet)

    return [
        case(18, "b", "a report with a high s", before_report=_malleable),
        case(18, "c", "a report signed for another chain", before_report=_foreign_chain),
        case(18, "d", "a report of an old configuration", before_report=_old_config),
        case(19, "a", "every report sent again, and the one before", transmit=_again),
        case(26, "a", "silent for three days, then a stranger sends", transmit=_stranger),
        case(
            26, "b", "withheld until it has expired", transmit=_expired,
            not_yet="not yet: nodes sign a period once, so an expired report has no successor",
        ),
        case(27, "a", "the chain forgets report and payout", transmit=_reorganised),
    ]  # fmt: skip


def _malleable(world: World, signed: SignedReport, now_s: int) -> None:
    world.begin_fault(now_s)
    world.send(nodes.with_high_s(signed), now_s)


def _foreign_chain(world: World, signed: SignedReport, now_s: int) -> None:
    world.begin_fault(now_s)
    elsewhere = replace(world.config, chain_id=world.config.chain_id + 1)
    keys = [SecretKey(key) for key in world.keys[:3]]
    world.send(nodes.signed_by(elsewhere, signed.report, *keys), now_s)


def _old_config(world: World, signed: SignedReport, now_s: int) -> None:
    world.begin_fault(now_s)
    old = replace(signed.report, config_digest=bytes(31) + b"\x01")
    world.send(nodes.signed_by(world.config, old, *(SecretKey(key) for key in world.keys[:3])), now_s)


def _again(world: World, signed: SignedReport, now_s: int) -> bool:
    world.begin_fault(now_s)
    done = world.send(signed, now_s)
    world.send(signed, now_s)
    before = world.signed.get(signed.report.period_id - 1)
    if before is not None:
        world.send(before, now_s)
    return done


def _stranger(world: World, signed: SignedReport, now_s: int) -> bool:
    world.begin_fault(now_s)
    return world.send(signed, now_s + 3 * DAY_S)


def _expired(world: World, signed: SignedReport, now_s: int) -> bool:
    if signed.report.period_id != 2:
        return world.send(signed, now_s)
    world.begin_fault(now_s)
    return world.send(signed, now_s + _TTL_S)


def _reorganised(world: World, signed: SignedReport, now_s: int) -> bool:
    """The report is sent, pays, and is undone; then it is sent again, twice."""
    world.begin_fault(now_s)
    with world.note.rolled_back():
        world.send(signed, now_s)
        world.note.pay_holders()
    done = world.send(signed, now_s + 60)
    world.send(signed, now_s + 60)
    return done


# ── bank ───────────────────────────────────────────────────────────────────

Lines = list[StatementLine]


def _bank(series: Series) -> list[Case]:
    def case(letter: str, text: str, bank: object = None, truth: object = None, **terms: object) -> Case:
        return Case(
            number=30,
            letter=letter,
            text=text,
            setup=Setup(bank=bank, **terms),  # type: ignore[arg-type]
            truth=None if truth is None else Setup(bank=truth),  # type: ignore[arg-type]
        )

    euro = Setup(quotes=lambda quotes, kit: quotes)
    return [
        Case(number=28, letter="a", text="the rate feed stops", setup=Setup(quotes=_stopped), truth=euro),
        Case(
            number=28,
            letter="b",
            text="the rate feed repeats its last value as new",
            setup=Setup(quotes=_repeating),
            truth=euro,
            not_yet="not yet: a second source of rates; the cash guard holds what is too much",
        ),
        Case(
            number=29,
            letter="a",
            text="hourly prices, some below zero",
            setup=Setup(invoice=_revenue_cents),
            truth=Setup(invoice=_exact_cents),
        ),
        case("a", "a credit and its reversal in one statement", _reversed, _without),
        case("b", "pending, then booked a month later", _Pending(shown=True), _Pending(shown=False)),
        case("c", "the statement comes three times", restated=True),
        case("d", "a batch entry with details", _batch),
        case("e", "reversed after it was paid out", _Reversal(netted=False), _Reversal(netted=True)),
    ]


def _stopped(quotes: Sequence[Quote], kit: Kit) -> list[Quote]:
    return [quote for quote in quotes if quote.as_of_s <= kit.fault_s]


def _repeating(quotes: Sequence[Quote], kit: Kit) -> list[Quote]:
    last = [quote for quote in quotes if quote.as_of_s <= kit.fault_s][-1]
    return [quote if quote.as_of_s <= kit.fault_s else replace(quote, value=last.value) for quote in quotes]


def price_milli_usd(start_s: int) -> int:
    """Price of an interval, thousandths of a dollar for a kWh: below zero at noon on every third day."""
    hour, day = start_s // 3_600 % 24, start_s // DAY_S
    return -35 if day % 3 == 0 and 17 <= hour < 20 else 60 + 5 * (hour % 7)


def _volumes_wh(world: World, period_id: int) -> dict[int, int]:
    """Accepted energy by start of the interval, of all periods so far."""
    volumes: dict[int, int] = {}
    closes = world.network.nodes[3].closes
    for number in range(1, period_id + 1):
        marks = closes[number].marks
        befores = (closes[number].opening[0], *marks)
        for before, mark in zip(befores, marks, strict=False):
            volumes[mark.at_s - world.series.interval_s] = mark.level_wh - before.level_wh
    return volumes


def _revenue_cents(world: World, period_id: int) -> int:
    volumes = {at_s: Decimal(wh) / 1_000 for at_s, wh in _volumes_wh(world, period_id).items()}
    prices = {at_s: Decimal(price_milli_usd(at_s)) / 1_000 for at_s in volumes}
    return revenue(volumes, prices).amount_down(100)


def _exact_cents(world: World, period_id: int) -> int:
    """The same by integers alone: Wh x thousandths are millionths of a dollar."""
    registers = [(world.series.boundaries_s[0], 0), *world.series.registers]
    end_s = world.schedule.period(period_id).end_s
    micro = sum(
        (wh - before_wh) * price_milli_usd(at_s - world.series.interval_s)
        for (_, before_wh), (at_s, wh) in pairwise(registers)
        if at_s <= end_s
    )
    amount = Fraction(micro, 10_000)
    return amount.numerator // amount.denominator


def _reversed(lines: Lines, period_id: int) -> Lines:
    if period_id != 2:
        return lines
    taken_back = replace(lines[0], reference=f"{lines[0].reference}-R", kind=EntryKind.DEBIT, reversal=True)
    return [lines[0], taken_back]


def _without(lines: Lines, period_id: int) -> Lines:
    return [] if period_id == 2 else lines


def _batch(lines: Lines, period_id: int) -> Lines:
    third = lines[0].amount_minor // 3
    return [replace(lines[0], details_minor=(third, third, lines[0].amount_minor - 2 * third))]


class _Pending:
    """The second month's payment is pending in its statement and booked in the next."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._line = shown, None

    def __call__(self, lines: Lines, period_id: int) -> Lines:
        if period_id == 2:
            self._line = lines[0]  # type: ignore[assignment]
            return [replace(lines[0], status="PDNG")] if self._shown else []
        if period_id == 3 and self._line is not None:
            return [replace(self._line, booked_at_s=lines[0].booked_at_s), *lines]
        return lines


class _Reversal:
    """The second month's payment is taken back a month later, out of the third month's."""

    def __init__(self, *, netted: bool) -> None:
        self._netted, self._line = netted, None

    def __call__(self, lines: Lines, period_id: int) -> Lines:
        if period_id == 2:
            self._line = lines[0]  # type: ignore[assignment]
        if period_id != 3 or self._line is None:
            return lines
        taken: StatementLine = self._line
        if self._netted:
            return [replace(lines[0], amount_minor=lines[0].amount_minor - taken.amount_minor)]
        back = replace(
            taken,
            reference=f"{taken.reference}-R",
            kind=EntryKind.DEBIT,
            reversal=True,
            booked_at_s=lines[0].booked_at_s,
        )
        return [*lines, back]
