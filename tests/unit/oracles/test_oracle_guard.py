"""What holds a period, and who may let it go

judge
├── completeness, nameplate, clear-sky day and month, slow clock    HOLD one unit beyond, nothing at the bound
├── far below the sky                    OUTAGE, a flag
├── energy of several days in one        held against the sky of all days since the register last rose
└── a late batch followed by readings on time    no slow clock
close_period, given a guard
├── held                                 PeriodHeld; nothing signed; later periods wait
│   ├── when late readings come          closed again, and final
│   └── when released with a reason      final as it stands; without one refused
└── held by f nodes                      the others make the report
sign
└── more than this node's own register and nameplate allow    ReportRejected
receive
├── an exchange of two named parties     the new meter counts; late readings of the old one as well
├── anything less                        refused, at every node
└── a meter that signs OCMF              counts if the fields are those of the signed bytes
quotes
└── too old, none, doubled, not above 0  refused; a repetition is not younger
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import oracle_kit as kit
import pytest
from oracle_kit import HOUR_S, T0

from oracles.aggregator import Aggregator
from oracles.clear_sky import PvSite, clear_sky_wh_up, sky_table
from oracles.devices.meter import DeviceMeter
from oracles.errors import PeriodHeld, QuorumNotReached, ReportRejected, StaleQuote
from oracles.exchange import MeterExchange, sign_exchange
from oracles.expected import Judgement
from oracles.guard import DAY_S, PeriodGuard, SkyTable
from oracles.keys import SecretKey
from oracles.network import DEFAULT_TTL_S, OracleNetwork
from oracles.ocmf import parse_payload, parse_record, to_reading
from oracles.ocmf_keys import chain_signature, sign_record
from oracles.periods import PeriodSchedule, close
from oracles.quotes import Quote, QuoteBook
from oracles.registers import RegisterTracker
from oracles.registry import AssetRegistry
from rwa_sim.errors import InputError, MalformedReading

FEBRUARY, MARCH, APRIL = (kit.utc_s(2026, month) for month in (2, 3, 4))
DAYS = 31
SKY_DAY_WH = 240_000  # 10 kWh every hour of every day: easy to count


def sky(days=400, day_wh=SKY_DAY_WH):
    hours = range(days * 24 + 1)
    return SkyTable(first_s=T0, step_s=HOUR_S, cumulative_wh=tuple(day_wh * n // 24 for n in hours))


def judged(readings, guard, end_s=FEBRUARY, received=()):
    tracker = RegisterTracker(kit.spec())
    for reading in [*readings, *received]:
        tracker.add(reading)
    (period,) = PeriodSchedule([T0, end_s])
    return guard.judge(close(period, [tracker]), [kit.spec()])


def flat(hourly_wh, days=DAYS):
    return kit.hourly([hourly_wh * hour for hour in range(1, days * 24 + 1)])


def rules(findings):
    return [(each.rule, each.judgement.value) for each in findings]


@pytest.mark.parametrize(("lost", "held"), [(37, []), (38, [("completeness", "hold")])])
def test_judge_a_gap_holds_below_95_percent(lost, held):
    readings = flat(1_000)

    findings = judged(readings[:300] + readings[300 + lost :], PeriodGuard())

    assert rules(findings) == held
    if held:
        assert (findings[0].actual, findings[0].bound, findings[0].unit) == (9_489, 9_500, "bps")


@pytest.mark.parametrize(
    ("hourly_wh", "found"),
    [
        (9_000, []),
        (9_001, [("clear-sky month", "hold")]),
        (12_001, [("clear-sky day", "hold")] * 31 + [("clear-sky month", "hold")]),
        (2_500, []),
        (2_499, [("clear-sky month", "outage")]),
        (99, [("clear-sky day", "outage")] * 31 + [("clear-sky month", "outage")]),
    ],
)
def test_judge_by_the_sky_day_by_day_and_over_the_month(hourly_wh, found):
    findings = judged(flat(hourly_wh), PeriodGuard(sky=sky()))

    assert rules(findings) == found


def test_judge_a_day_by_the_watt_hour():
    def with_day(day_wh):
        registers = [100 * hour for hour in range(1, DAYS * 24 + 1)]
        raised = [
            wh if n < 240 else wh + (day_wh - 2_400) * min(24, n - 239) // 24
            for n, wh in enumerate(registers)
        ]
        return judged(kit.hourly(raised), PeriodGuard(sky=sky(day_wh=20_000)))

    assert "hold" not in [judgement for _, judgement in rules(with_day(24_000))]
    (hold,) = [each for each in with_day(24_001) if each.is_held]
    assert (hold.rule, hold.actual, hold.bound) == ("clear-sky day", 24_001, 24_000)


def test_judge_a_catch_up_is_held_against_all_the_days_it_was_earned_in():
    true_wh = [8_000 * hour for hour in range(1, DAYS * 24 + 1)]
    stuck = [true_wh[239] if 240 <= n < 312 else wh for n, wh in enumerate(true_wh)]
    doubled = [wh if n < 312 else wh + 4 * 24 * 8_000 for n, wh in enumerate(stuck)]
    guard = PeriodGuard(sky=sky(day_wh=SKY_DAY_WH * 12 // 10))

    assert not [each for each in judged(kit.hourly(stuck), guard) if each.is_held]
    assert [each.rule for each in judged(kit.hourly(doubled), guard) if each.is_held] == ["clear-sky day"]


def test_judge_more_than_the_nameplate_holds_whatever_the_register_let_pass():
    findings = judged(flat(1_000), PeriodGuard(), end_s=FEBRUARY)
    assert findings == ()
    tracker = RegisterTracker(kit.spec())
    for reading in flat(1_000):
        tracker.add(reading)
    (period,) = PeriodSchedule([T0, FEBRUARY])
    closed = close(period, [tracker])
    small = kit.spec(nameplate_w=900)

    (hold,) = PeriodGuard().judge(closed, [small])

    assert (hold.rule, hold.actual, hold.bound) == ("nameplate", 744_000, 900 * 744 * 102 // 100 + 1)


def lagging(lag_s, hours=range(1, DAYS * 24 + 1)):
    meter = kit.device()
    return [meter.read(T0 + HOUR_S * h, 10 * h, received_at_s=T0 + HOUR_S * h + lag_s) for h in hours]


@pytest.mark.parametrize(("lag_s", "found"), [(600, []), (601, [("clock", "hold")])])
def test_judge_a_slow_clock(lag_s, found):
    assert rules(judged(lagging(lag_s), PeriodGuard())) == found
    assert rules(judged(lagging(lag_s), PeriodGuard(most_lag_s=None))) == []


def test_judge_a_late_batch_is_no_slow_clock():
    readings = lagging(86_400)
    after = DeviceMeter(kit.key("meter-1"), meter_id="meter-1", first_seq=DAYS * 24 + 1)

    assert rules(judged(readings, PeriodGuard())) == [("clock", "hold")]
    assert rules(judged(readings, PeriodGuard(), received=[after.read(FEBRUARY + HOUR_S, 9_999)])) == []


def test_days_of_a_period_begin_at_the_assets_midnight():
    """One bright local day: cut at the wrong midnight it is two half days that nobody notices."""
    noon_h = 12
    bright = range(10 * 24 + noon_h + 1, 11 * 24 + noon_h + 1)
    registers, total = [], 0
    for hour in range(1, DAYS * 24 + 1):
        total += 13_000 if hour in bright else 1_000
        registers.append(total)

    local = judged(kit.hourly(registers), PeriodGuard(sky=sky(), day_starts_s=noon_h * HOUR_S))
    wrong = judged(kit.hourly(registers), PeriodGuard(sky=sky()))

    assert [(each.rule, each.actual) for each in local if each.is_held] == [("clear-sky day", 24 * 13_000)]
    assert [each for each in wrong if each.is_held] == []


@pytest.mark.parametrize("cumulative", [(), (1, 2), (0, 5, 4)])
def test_a_sky_table_that_is_none_is_refused(cumulative):
    with pytest.raises(InputError, match="0 first, and never a fall"):
        SkyTable(first_s=0, step_s=900, cumulative_wh=cumulative)


def test_a_sky_table_answers_only_inside_and_widens_to_whole_steps():
    table = SkyTable(first_s=0, step_s=900, cumulative_wh=(0, 1, 10, 100))

    assert [table.energy_wh_up(*span) for span in ((0, 2_700), (900, 901), (899, 901), (5, 5))] == [
        100,
        9,
        10,
        1,
    ]
    for span in ((-1, 900), (0, 2_701)):
        with pytest.raises(InputError, match="inside the table"):
            table.energy_wh_up(*span)


def test_sky_table_adds_up_to_the_clear_sky_of_the_same_days():
    site = PvSite(
        latitude_udeg=39_740_600, longitude_udeg=-105_177_500, altitude_m=1_830, tilt_deg=45, azimuth_deg=158
    )
    table = sky_table(site, T0, T0 + 3 * DAY_S)
    days = clear_sky_wh_up(site, [T0 + n * DAY_S for n in range(4)])

    for number, day_wh in enumerate(days):
        found = table.energy_wh_up(T0 + number * DAY_S, T0 + (number + 1) * DAY_S)
        assert abs(found - day_wh) <= 1
    with pytest.raises(InputError, match="multiples of 900"):
        sky_table(site, T0 + 1, T0 + DAY_S)


# ── held, closed again, released ───────────────────────────────────────────


def guarded(meters=None, guard=None):
    return OracleNetwork(
        kit.config(),
        kit.node_keys(),
        schedule=kit.months(),
        registry=AssetRegistry(meters or [kit.spec()]),
        guard=guard or PeriodGuard(),
    )


def test_close_period_that_is_held_signs_nothing_and_later_periods_wait():
    network = guarded()
    readings = flat(1_000, days=60)
    network.feed(readings[:600] + readings[744:])

    for period_id, at_s in ((1, FEBRUARY), (1, MARCH), (2, MARCH)):
        with pytest.raises(PeriodHeld) as held:
            network.close_period(period_id, at_s)
        assert (held.value.period_id, held.value.findings[0].rule) == (1, "completeness")
        with pytest.raises(PeriodHeld):
            network.close_registers(period_id, at_s)
    assert network.nodes[0]._store.signed_digest(network.config.asset_id, 1, 0) is None


def test_close_period_again_takes_in_what_came_late():
    network, whole = guarded(), guarded()
    readings = flat(1_000, days=60)
    network.feed(readings[:600])
    with pytest.raises(PeriodHeld):
        network.close_period(1, FEBRUARY)

    network.feed(readings[600:])
    whole.feed(readings)

    assert network.close_period(1, FEBRUARY + 60) == whole.close_period(1, FEBRUARY + 60), "as if never late"
    assert network.nodes[0].closes[1].proof_of(readings[700])


def test_release_lets_a_period_go_as_it_stands_and_the_next_carries_the_rest():
    network = guarded()
    readings = flat(1_000, days=59)
    network.feed(readings[:600])
    with pytest.raises(PeriodHeld):
        network.close_period(1, FEBRUARY)
    with pytest.raises(InputError, match="why it is released"):
        network.release(1, "")

    network.release(1, "logger replaced, see file note")
    first = network.close_period(1, FEBRUARY).report
    network.feed(readings[744:])

    assert first.register_wh == 600_000
    assert network.nodes[0].released == {1: "logger replaced, see file note"}
    assert network.close_period(2, MARCH).report.register_wh == 59 * 24 * 1_000


def test_close_period_held_by_f_nodes_is_reported_by_the_others():
    network = guarded()
    readings = flat(1_000)
    for node in network.nodes[1:]:
        node.receive(readings)
    network.nodes[0].receive(readings[:100] + readings[-1:])

    assert network.close_registers(1, FEBRUARY) == 744_000
    assert len(network.close_period(1, FEBRUARY).signatures) == 3
    with pytest.raises(PeriodHeld):
        network.nodes[0].observe(1, observed_at_s=FEBRUARY)


def test_close_registers_with_too_few_nodes_gives_nothing():
    network = guarded()
    network.feed(flat(1_000))
    network.set_online(0, online=False)
    network.set_online(1, online=False)

    with pytest.raises(QuorumNotReached) as refused:
        network.close_registers(1, FEBRUARY)
    assert (refused.value.stage, refused.value.got) == ("registers", 2)
    with pytest.raises(ReportRejected, match="not over"):
        network.nodes[0].close_registers(1, now_s=FEBRUARY - 1)


@pytest.mark.parametrize(("extra_wh", "refused"), [(1, False), (2, True)])
def test_sign_more_than_own_register_and_nameplate_allow_is_rejected(extra_wh, refused):
    from test_oracle_network import observed

    network = guarded(guard=PeriodGuard())
    network.feed(flat(1_000))
    own = network.nodes[0].observe(1, observed_at_s=FEBRUARY)
    liars = [
        observed(key, 744_000 + extra_wh)
        for key in kit.node_keys()
        if SecretKey(key).address != own.observation.observer
    ]
    proposal = Aggregator(network.config, ttl_s=DEFAULT_TTL_S).propose(
        network.schedule.period(1), [own, *liars[:2]], observed_at_s=FEBRUARY
    )
    assert proposal.report.register_wh == 744_000 + extra_wh, "two colluders and one honest observation"

    if refused:
        with pytest.raises(ReportRejected, match="more than the nameplate allows"):
            network.nodes[0].sign(proposal)
    else:
        network.nodes[0].sign(proposal)


# ── exchange and OCMF ──────────────────────────────────────────────────────

OPERATOR, AUDITOR, STRANGER = (SecretKey(kit.key(name)) for name in ("operator", "auditor", "stranger"))
NEW = SecretKey(kit.key("new meter"))


def record(**changes):
    terms = {
        "meter_id": "meter-1",
        "old_serial": "A-1",
        "final_wh": 100_500,
        "new_serial": "B-2",
        "initial_wh": 7,
        "first_seq": 101,
        "at_s": T0 + 100 * HOUR_S + 600,
        "new_public_key": NEW.public_key,
    }
    return MeterExchange(**(terms | changes))


def exchangeable():
    return kit.network(meters=[kit.spec(exchange_parties=(OPERATOR.address, AUDITOR.address))])


def after_exchange():
    meter = DeviceMeter(kit.key("new meter"), meter_id="meter-1", first_seq=101)
    return [meter.read(T0 + HOUR_S * hour, 7 + 1_000 * (hour - 100)) for hour in range(101, 201)]


def test_receive_an_exchange_of_two_parties_counts_both_meters_even_late():
    network = exchangeable()
    old = flat(1_000)[:100]
    network.exchange(sign_exchange(record(), OPERATOR, AUDITOR))

    network.feed(after_exchange())
    network.feed(old)

    assert network.close_period(1, FEBRUARY).report.register_wh == 100_500 + 100_000
    assert dict(network.nodes[0].rejected) == {}


@pytest.mark.parametrize(
    ("signed", "error"),
    [
        (sign_exchange(record(), OPERATOR), MalformedReading),
        (sign_exchange(record(), OPERATOR, STRANGER), MalformedReading),
        (sign_exchange(record(meter_id="meter-9"), OPERATOR, AUDITOR), InputError),
    ],
    ids=["one party", "a stranger", "unknown meter"],
)
def test_receive_anything_less_than_an_exchange_is_refused(signed, error):
    network = exchangeable()

    with pytest.raises(error):
        network.exchange(signed)
    network.feed([*flat(1_000)[:100], *after_exchange()])

    assert network.nodes[0].rejected["signature"] == 100
    assert network.close_period(1, FEBRUARY).report.register_wh == 100_000


def test_receive_an_exchange_at_a_meter_without_named_parties_is_refused():
    with pytest.raises(MalformedReading, match="named parties"):
        kit.network().exchange(sign_exchange(record(), OPERATOR, AUDITOR))


def test_registry_knows_the_new_key_and_refuses_one_in_use():
    registry = AssetRegistry([kit.spec(), kit.spec("meter-2")])
    registry.succeed("meter-1", 101, NEW.public_key)

    assert registry.find("meter-1").has_signed(after_exchange()[0])
    for meter_id, key in (("meter-2", NEW.public_key), ("meter-9", AUDITOR.public_key)):
        with pytest.raises(InputError, match="a registered meter, and a key of its own"):
            registry.succeed(meter_id, 5, key)


def ocmf_reading(page, kwh, hour, key=None):
    payload = (
        f'{{"FV":"1.0","PG":"T{page}","MS":"SN-1","RD":[{{"TM":"2026-01-01T{hour:02d}:00:00,000+0000 S",'
        f'"TX":"E","RV":{kwh},"RI":"1-0:2.8.0","RU":"kWh","EF":"","ST":"G"}}]}}'
    ).encode()
    signer = SecretKey(key or kit.key("meter-1"))
    taken = parse_record(sign_record(payload, signer))
    return to_reading(
        taken,
        parse_payload(taken),
        signature=chain_signature(taken, signer.public_key),
        meter_id="meter-1",
        meter_serial="SN-1",
        obis="2.8.0",
        context="T",
        received_at_s=T0 + hour * HOUR_S,
    )


def test_receive_ocmf_readings_counts_what_the_signed_bytes_say():
    network = kit.network(meters=[kit.spec(ocmf_serial="SN-1")])
    good = [ocmf_reading(page, f"{page}.100", page) for page in (1, 2, 3)]
    edited = replace(ocmf_reading(4, "4.100", 4), register_wh=9_000)
    foreign = ocmf_reading(5, "5.100", 5, key=kit.key("stranger"))
    other_serial = kit.network(meters=[kit.spec(ocmf_serial="SN-2")])

    network.feed([*good, edited, foreign])
    other_serial.feed(good)
    plain = kit.network()
    plain.feed(good)

    assert network.close_period(1, FEBRUARY).report.register_wh == 3_100
    assert dict(network.nodes[0].rejected) == {"fields differ from the signed bytes": 1, "signature": 1}
    assert dict(other_serial.nodes[0].rejected) == {"fields differ from the signed bytes": 3}
    assert dict(plain.nodes[0].rejected) == {"fields differ from the signed bytes": 3}, "not declared as OCMF"


# ── quotes ─────────────────────────────────────────────────────────────────


def test_a_quote_stands_until_it_is_too_old():
    book = QuoteBook("USD per EUR", max_age_s=100, quotes=[Quote(as_of_s=1_000, value=Decimal("1.08"))])

    assert book.at(1_000) == book.at(1_100) == Decimal("1.08")
    for instant_s, as_of_s in ((1_101, 1_000), (999, None)):
        with pytest.raises(StaleQuote) as stale:
            book.at(instant_s)
        assert (stale.value.as_of_s, stale.value.max_age_s) == (as_of_s, 100)
    assert not book.add(Quote(as_of_s=1_000, value=Decimal("1.080"))), "a repetition is not younger"
    with pytest.raises(StaleQuote):
        book.at(1_101)


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", "1.09"])
def test_a_quote_that_is_none_or_contradicts_is_refused(value):
    book = QuoteBook("USD per EUR", max_age_s=100, quotes=[Quote(as_of_s=1_000, value=Decimal("1.08"))])

    with pytest.raises(MalformedReading, match="one value above 0 for each instant"):
        book.add(Quote(as_of_s=1_000, value=Decimal(value)))
    assert book.at(1_050) == Decimal("1.08")


def test_judgement_of_a_finding_says_whether_it_holds():
    (outage,) = [f for f in judged(flat(2_499), PeriodGuard(sky=sky())) if f.rule == "clear-sky month"]

    assert outage.judgement is Judgement.OUTAGE and not outage.is_held
