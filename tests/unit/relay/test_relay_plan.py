"""next_step: what is due on the chain, most urgent first

given the bank has booked more than is on chain      mint the difference, ripcord or not
given the ripcord is pulled                          nothing else
given a pending report
├── in its window                                    nothing
└── when its window is over                          finalise
given a held or disputed report                      nothing: the arbiter's
given a rejected report                              revise; transmit once there is a higher revision
given the waterfall is behind the feed               deliver the next period
given a distribution has its cash now                distribute
given a coupon is not paid to everybody
├── in the second of its record date                 nothing
└── after it                                         claim
given the next report is signed
├── and good                                         transmit
├── and expired                                      revise
└── and open on chain already                        nothing
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracles.schema import Report, SignedReport
from oracles.watch import Claim
from rwa_sim.relay.plan import Act, ChainView, DueCoupon, OpenReport, OpenStatus, next_step

NOW_S = 1_000
IDLE = ChainView(
    now_s=NOW_S,
    last_final=2,
    open_report=None,
    ripcord=False,
    waterfall_period=2,
    distributable=False,
    minted_usd6=50,
    coupons=(),
)


def report(period: int = 3, revision: int = 0, expires_at: int = NOW_S) -> SignedReport:
    body = Report(
        config_digest=bytes(32),
        asset_id=bytes(32),
        period_id=period,
        revision=revision,
        period_start=0,
        period_end=1,
        observed_at=1,
        expires_at=expires_at,
        completeness_bps=0,
        readings_root=bytes(32),
        registers_wh=(1,),
        credited_usd6=(1,),
    )
    return SignedReport(report=body, signatures=())


def opened(status: OpenStatus, *, revision: int = 0, at_s: int = NOW_S) -> OpenReport:
    return OpenReport(
        period_id=3,
        revision=revision,
        status=status,
        finalisable_at_s=at_s,
        claim=Claim(register_wh=0, credited_usd6=0),
    )


def due(view: ChainView, reports=(), booked_usd6: int = 50):
    step = next_step(view, {each.report.period_id: each for each in reports}, booked_usd6)
    return None if step is None else step.purpose


def test_an_idle_chain_has_nothing_due():
    assert due(IDLE) is None
    assert due(IDLE, [report(period=4)]) is None, "periods are reported one after another"


def test_booked_money_goes_on_chain_before_anything_else_even_under_the_ripcord():
    busy = replace(IDLE, open_report=opened(OpenStatus.PENDING), distributable=True, waterfall_period=1)

    assert due(busy, booked_usd6=51) == "mint 1"
    assert due(replace(busy, ripcord=True), booked_usd6=51) == "mint 1"
    assert due(IDLE, booked_usd6=49) is None, "money is never taken back"


def test_nothing_else_happens_under_the_ripcord():
    view = replace(IDLE, open_report=opened(OpenStatus.PENDING), distributable=True, ripcord=True)

    assert due(view, [report()]) is None


@pytest.mark.parametrize(
    ("status", "at_s", "expected"),
    [
        (OpenStatus.PENDING, NOW_S + 1, None),
        (OpenStatus.PENDING, NOW_S, "finalise 3"),
        (OpenStatus.HELD, NOW_S - 1, None),
        (OpenStatus.DISPUTED, NOW_S - 1, None),
        (OpenStatus.REJECTED, NOW_S - 1, "revise 3"),
    ],
)
def test_an_open_report_is_finalised_by_time_and_by_nothing_else(status, at_s, expected):
    view = replace(IDLE, open_report=opened(status, at_s=at_s))

    assert due(view, [report()]) == expected


def test_a_rejected_report_is_followed_by_its_next_revision():
    view = replace(IDLE, open_report=opened(OpenStatus.REJECTED))

    assert due(view, [report()]) == "revise 3"
    assert due(view, [report(revision=1)]) == "transmit 3.1"


def test_a_report_the_waterfall_has_not_taken_is_delivered_in_order():
    assert due(replace(IDLE, waterfall_period=0), [report()]) == "deliver 1"


def test_what_waited_for_cash_is_distributed_before_the_next_report():
    assert due(replace(IDLE, distributable=True), [report()]) == "distribute 2"


@pytest.mark.parametrize(("record_s", "expected"), [(NOW_S, "transmit 3.0"), (NOW_S - 1, "claim 1.7")])
def test_a_coupon_is_claimed_when_its_record_date_is_over(record_s, expected):
    coupon = DueCoupon(class_index=1, coupon_id=7, record_at_s=record_s)

    assert due(replace(IDLE, coupons=(coupon,)), [report()]) == expected


def test_the_next_report_is_transmitted_until_it_expires():
    assert due(IDLE, [report()]) == "transmit 3.0"
    assert due(IDLE, [report(expires_at=NOW_S - 1)]) == "revise 3"
    pending = replace(IDLE, open_report=opened(OpenStatus.PENDING, at_s=NOW_S + 1))
    assert due(pending, [report()]) is None
    assert due(pending, [report(revision=1)]) == "transmit 3.1", "the nodes took it back themselves"


def test_every_act_is_in_the_tree():
    assert {act.value for act in Act} == {
        "mint", "finalise", "deliver", "distribute", "claim", "transmit", "revise",
    }  # fmt: skip
