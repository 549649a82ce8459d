"""ACTUS contracts

cashflows
├── given a public case                      equals its results to 1e-6
├── PAM  stubs, business days, EOM, resets, capitalisation, purchase, termination, scaling, fees
├── LAM  redemption and maturity derived, interest bases
├── NAM  unpaid interest is added to the notional, maturity derived
├── ANN  level payment, refixed at each reset, balloon after amortizationDate
├── live at the status date                  accrues from it, on top of accruedInterest
└── given any contract
    ├── principal paid                       adds up to the notional
    ├── the other role                       has the opposite flows
    └── a fixed bond                         pays the coupons QuantLib computes
case format
├── when a term is unknown or unsupported    refused by its name
├── when a value is malformed                refused by its name
└── given one bad case among good ones       the others are computed; exit code 1

Expected values are computed by hand with 30/360 or actual days over 365, as written.
"""

from __future__ import annotations

import json
import os
import pickle
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import QuantLib
import typer
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rwa_sim.cli import cashflows as cashflows_command
from rwa_sim.cli import daycount as daycount_command
from rwa_sim.domain.actus import EventKind, cashflows
from rwa_sim.domain.actus.cases import case_json, parse_case, terms_of
from rwa_sim.domain.actus.fixed import WAD, nearest, text_from_wad, wad_from_text
from rwa_sim.domain.actus.terms import ContractType
from rwa_sim.errors import CalendarYearMissing, InputError, UnknownName

PROJECT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("RWA_SIM_DATA", PROJECT.parent / "shared" / "data")) / "actus"

BOND = {
    "contractType": "PAM",
    "contractID": "bond",
    "contractRole": "RPA",
    "statusDate": "2019-12-31T00:00:00",
    "initialExchangeDate": "2020-01-01T00:00:00",
    "maturityDate": "2021-01-01T00:00:00",
    "notionalPrincipal": "1000",
    "nominalInterestRate": "0.06",
    "dayCountConvention": "30E360",
    "currency": "USD",
    "cycleAnchorDateOfInterestPayment": "2020-07-01T00:00:00",
    "cycleOfInterestPayment": "P6ML1",
}
LOAN = BOND | {
    "contractType": "LAM",
    "cycleAnchorDateOfInterestPayment": "2020-04-01T00:00:00",
    "cycleOfInterestPayment": "P3ML1",
    "cycleAnchorDateOfPrincipalRedemption": "2020-04-01T00:00:00",
    "cycleOfPrincipalRedemption": "P3ML1",
}
TOLERANCE = Fraction(1, 10**15)
EUROBOND = QuantLib.Thirty360(QuantLib.Thirty360.EurobondBasis)

Row = tuple[str, str, object]


def case(terms: dict[str, object], *, to: str = "", **observed: list[tuple[str, str]]) -> dict[str, object]:
    """A raw case of the public format; observed series by index code."""
    return {
        "terms": {name: value for name, value in terms.items() if value is not None},
        "to": to,
        "dataObserved": {
            code: {"data": [{"timestamp": time, "value": value} for time, value in points]}
            for code, points in observed.items()
        },
        "eventsObserved": [],
    }


def run(raw: dict[str, object]) -> list[Any]:
    parsed = parse_case("test", raw)
    return list(cashflows(parsed.terms, parsed.observed, horizon=parsed.horizon))


def flows(terms: dict[str, object], **more: Any) -> list[Row]:
    """Date, type and payoff of every event."""
    return [
        (f"{event.time:%Y-%m-%d}", event.kind.value, Fraction(event.payoff_wad, WAD))
        for event in run(case(terms, **more))
    ]


def assert_flows(got: list[Row], *expected: tuple[str, str, object]) -> None:
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    for (day, kind, payoff), (_, _, wanted) in zip(got, expected, strict=True):
        assert abs(payoff - Fraction(wanted)) < TOLERANCE, f"{kind} on {day}: {float(payoff)}"


def states(terms: dict[str, object], kind: str, **more: Any) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Notional, rate and accrued interest after each event of that type."""
    return [
        (
            Fraction(event.notional_wad, WAD),
            Fraction(event.rate_wad, WAD),
            Fraction(event.accrued_wad, WAD),
        )
        for event in run(case(terms, **more))
        if event.kind == kind
    ]


# ---------------------------------------------------------------- public cases


@pytest.mark.data
@pytest.mark.parametrize("name", ["pam", "lam", "nam", "ann"])
def test_public_case_equals_its_results(name: str) -> None:
    path = DATA / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there (set RWA_SIM_DATA)")

    for case_id, raw in json.loads(path.read_text(encoding="utf-8")).items():
        got = json.loads(case_json(case_id, raw))["results"]
        assert [(row["eventDate"], row["eventType"]) for row in got] == [
            (row["eventDate"][:16], row["eventType"]) for row in raw["results"]
        ]
        for mine, theirs in zip(got, raw["results"], strict=True):
            for field in ("payoff", "notionalPrincipal", "nominalInterestRate", "accruedInterest"):
                assert mine[field] == pytest.approx(float(theirs[field]), abs=1e-6), (case_id, mine, field)


# ---------------------------------------------------------------- PAM


def test_bond_pays_interest_and_principal() -> None:
    assert_flows(
        flows(BOND),
        ("2020-01-01", "IED", -1000),
        ("2020-07-01", "IP", 30),
        ("2021-01-01", "IP", 30),
        ("2021-01-01", "MD", 1000),
    )


def test_after_maturity_nothing_is_owed_and_the_rate_stays() -> None:
    assert states(BOND, "MD") == [(0, Fraction(6, 100), 0)]


def test_premium_is_paid_with_the_notional() -> None:
    assert flows(BOND | {"premiumDiscountAtIED": " -15"})[0] == ("2020-01-01", "IED", -985)


@pytest.mark.parametrize(
    ("stub", "paid"),
    [
        ("P3ML1", [("2020-04-01", 15), ("2020-07-01", 15), ("2020-10-01", 15), ("2020-11-01", 5)]),
        ("P3ML0", [("2020-04-01", 15), ("2020-07-01", 15), ("2020-11-01", 20)]),
    ],
)
def test_last_stub_is_short_or_joined(stub: str, paid: list[tuple[str, int]]) -> None:
    terms = BOND | {
        "maturityDate": "2020-11-01",
        "cycleAnchorDateOfInterestPayment": "2020-04-01",
        "cycleOfInterestPayment": stub,
    }

    assert [(day, payoff) for day, kind, payoff in flows(terms) if kind == "IP"] == paid


# 1 May 2021 is a Saturday; the period before starts on 1 November 2020, a Sunday.
@pytest.mark.parametrize(
    ("rule", "paid_on", "days"),
    [
        ("SCF", "2021-05-03", 182),  # Monday 2 November to Monday 3 May
        ("SCMF", "2021-05-03", 182),
        ("SCP", "2021-04-30", 182),  # Friday 30 October to Friday 30 April
        ("SCMP", "2021-05-03", 182),  # back into April or October is not allowed: both go on
        ("CSF", "2021-05-03", 181),  # 1 November to 1 May
        ("CSMF", "2021-05-03", 181),
        ("CSP", "2021-04-30", 181),
        ("CSMP", "2021-05-03", 181),
        ("NOS", "2021-05-01", 181),
    ],
)
def test_business_day_rule_decides_date_and_days(rule: str, paid_on: str, days: int) -> None:
    terms = BOND | {
        "dayCountConvention": "A365",
        "calendar": "MF",
        "businessDayConvention": rule,
        "initialExchangeDate": "2020-05-01",
        "maturityDate": "2022-11-01",
        "cycleAnchorDateOfInterestPayment": "2020-11-01",
    }

    paid = [(day, payoff) for day, kind, payoff in flows(terms) if kind == "IP"]

    assert paid[1][0] == paid_on
    assert abs(paid[1][1] - Fraction(60 * days, 365)) < TOLERANCE


def test_without_a_calendar_every_day_is_a_business_day() -> None:
    """1 August 2020 is a Saturday."""
    terms = BOND | {"businessDayConvention": "SCF", "cycleAnchorDateOfInterestPayment": "2020-08-01"}

    assert flows(terms)[1] == ("2020-08-01", "IP", 35)
    assert flows(terms | {"calendar": "MF"})[1][0] == "2020-08-03"


def test_a_last_payment_is_not_shifted_past_maturity() -> None:
    """Maturity 3 January 2021 is a Sunday: the bond matures on it, and so its last interest."""
    terms = BOND | {
        "calendar": "MF",
        "businessDayConvention": "CSF",
        "maturityDate": "2021-01-03",
        "cycleAnchorDateOfInterestPayment": "2020-07-03",
    }

    assert [row[:2] for row in flows(terms)[-2:]] == [("2021-01-03", "IP"), ("2021-01-03", "MD")]


@pytest.mark.parametrize(("convention", "second"), [("EOM", "2020-05-31"), ("SD", "2020-05-29")])
def test_end_of_month_convention(convention: str, second: str) -> None:
    terms = BOND | {
        "cycleAnchorDateOfInterestPayment": "2020-02-29",
        "cycleOfInterestPayment": "P3ML1",
        "endOfMonthConvention": convention,
    }

    assert [row[0] for row in flows(terms) if row[1] == "IP"][1] == second


def test_an_anchor_before_the_exchange_brings_accrued_interest() -> None:
    terms = BOND | {"cycleAnchorDateOfInterestPayment": "2019-10-01"}

    assert states(terms, "IED") == [(1000, Fraction(6, 100), 15)]
    assert flows(terms)[1] == ("2020-04-01", "IP", 30)


def test_accrued_interest_at_exchange_is_taken_as_given() -> None:
    assert states(BOND | {"accruedInterest": "7"}, "IED")[0][2] == 7
    assert flows(BOND | {"accruedInterest": "7"})[1] == ("2020-07-01", "IP", 37)


def test_a_contract_without_interest_terms_pays_none() -> None:
    terms = BOND | {"cycleAnchorDateOfInterestPayment": None, "cycleOfInterestPayment": None}

    assert_flows(flows(terms), ("2020-01-01", "IED", -1000), ("2021-01-01", "MD", 1000))


def test_an_anchor_without_cycle_pays_then_and_at_maturity() -> None:
    terms = BOND | {"cycleOfInterestPayment": None, "cycleAnchorDateOfInterestPayment": "2020-03-01"}

    assert [row for row in flows(terms) if row[1] == "IP"] == [
        ("2020-03-01", "IP", 10),
        ("2021-01-01", "IP", 50),
    ]


def test_a_cycle_without_anchor_starts_at_the_exchange() -> None:
    terms = BOND | {"cycleAnchorDateOfInterestPayment": None}

    assert next(row for row in flows(terms) if row[1] == "IP") == ("2020-01-01", "IP", 0)


def test_times_of_day_order_events_and_2359_is_the_next_midnight() -> None:
    terms = BOND | {"maturityDate": "2020-12-31T23:59:59", "dayCountConvention": "A365"}
    last_interest, maturity = run(case(terms))[-2:]

    assert f"{maturity.time:%Y-%m-%dT%H:%M:%S}" == "2020-12-31T23:59:59"
    assert abs(Fraction(last_interest.payoff_wad, WAD) - Fraction(60 * 184, 365)) < TOLERANCE
    assert flows(BOND | {"maturityDate": "2020-12-31T24:00:00"}) == flows(BOND)


FLOATER = BOND | {
    "cycleAnchorDateOfRateReset": "2020-07-01T00:00:00",
    "cycleOfRateReset": "P6ML1",
    "marketObjectCodeOfRateReset": "LIBOR",
}
LIBOR = [("2020-01-01T00:00:00", "0.01"), ("2020-07-01T00:00:00", "0.05")]


@pytest.mark.parametrize(
    ("bounds", "rate"),
    [
        ({}, "0.05"),
        ({"rateSpread": "0.01"}, "0.06"),
        ({"rateMultiplier": "2", "rateSpread": "0.01"}, "0.11"),
        ({"lifeCap": "0.045"}, "0.045"),
        ({"lifeFloor": "0.055"}, "0.055"),
        ({"periodFloor": "-0.005"}, "0.055"),
        ({"rateSpread": "0.05", "periodCap": "0.02"}, "0.08"),
        ({"rateSpread": "0.05", "periodCap": "0.02", "lifeCap": "0.07"}, "0.07"),
    ],
)
def test_rate_reset_takes_the_index_within_its_bounds(bounds: dict[str, str], rate: str) -> None:
    terms = FLOATER | bounds

    assert states(terms, "RR", LIBOR=LIBOR) == [(1000, Fraction(rate), 0)]
    assert flows(terms, LIBOR=LIBOR)[3] == ("2021-01-01", "IP", 500 * Fraction(rate))


def test_rate_reset_comes_after_the_payment_of_its_day_and_never_at_maturity() -> None:
    assert [row[1] for row in flows(FLOATER, LIBOR=LIBOR)] == ["IED", "IP", "RR", "IP", "MD"]


def test_rate_reset_uses_the_latest_value_known_by_then() -> None:
    assert states(FLOATER, "RR", LIBOR=LIBOR[:1])[0][1] == Fraction(1, 100)


def test_next_reset_rate_replaces_the_first_reset_after_the_status_date() -> None:
    terms = FLOATER | {"nextResetRate": "0.07", "cycleOfRateReset": "P3ML1"}

    assert states(terms, "RRF", LIBOR=LIBOR)[0][1] == Fraction(7, 100)
    assert states(terms, "RR", LIBOR=LIBOR)[0][1] == Fraction(5, 100)


def test_interest_is_capitalised_until_and_on_the_end_date() -> None:
    terms = BOND | {
        "cycleAnchorDateOfInterestPayment": "2020-04-01",
        "cycleOfInterestPayment": "P3ML1",
        "capitalizationEndDate": "2020-07-01",
    }

    assert states(terms, "IPCI") == [
        (1015, Fraction(6, 100), 0),
        (Fraction("1030.225"), Fraction(6, 100), 0),
    ]
    assert_flows(
        flows(terms)[3:],
        ("2020-10-01", "IP", Fraction("15.453375")),
        ("2021-01-01", "IP", Fraction("15.453375")),
        ("2021-01-01", "MD", Fraction("1030.225")),
    )


def test_capitalisation_ends_between_payments_or_without_any() -> None:
    between = BOND | {"capitalizationEndDate": "2020-09-01"}
    alone = BOND | {
        "cycleAnchorDateOfInterestPayment": None,
        "cycleOfInterestPayment": None,
        "capitalizationEndDate": "2020-09-01",
    }

    assert [row[:2] for row in flows(between)][1:] == [
        ("2020-07-01", "IPCI"),
        ("2020-09-01", "IPCI"),
        ("2021-01-01", "IP"),
        ("2021-01-01", "MD"),
    ]
    assert flows(alone)[-1] == ("2021-01-01", "MD", 1040)


@pytest.mark.parametrize(
    ("role", "paid", "received"),
    # Price and signed accrued interest (15 after 3 months), signed once more by the role.
    [("RPA", -(990 + 15), 980 + 15), ("RPL", 990 - 15, -(980 - 15))],
)
def test_purchase_and_termination_add_signed_accrued_interest(role: str, paid: int, received: int) -> None:
    terms = BOND | {"contractRole": role}
    bought = flows(terms | {"purchaseDate": "2020-04-01", "priceAtPurchaseDate": "990"})
    sold = flows(terms | {"terminationDate": "2020-10-01", "priceAtTerminationDate": "980"})

    assert bought[0] == ("2020-04-01", "PRD", paid), "nothing before the purchase is reported"
    assert [row[1] for row in bought] == ["PRD", "IP", "IP", "MD"]
    assert sold[-1] == ("2020-10-01", "TD", received)
    assert [row[1] for row in sold] == ["IED", "IP", "TD"]


def test_after_termination_nothing_is_owed_and_the_rate_stays() -> None:
    terms = BOND | {"terminationDate": "2020-10-01", "priceAtTerminationDate": "980"}

    assert states(terms, "TD") == [(0, Fraction(6, 100), 0)]


def test_purchase_on_a_payment_date_leaves_the_payment_to_the_seller() -> None:
    bought = flows(BOND | {"purchaseDate": "2020-07-01", "priceAtPurchaseDate": "990"})

    assert bought == [("2020-07-01", "PRD", -990), ("2021-01-01", "IP", 30), ("2021-01-01", "MD", 1000)]


@pytest.mark.parametrize(
    ("effect", "interest", "principal"),
    [("INO", 33, 1100), ("IOO", 33, 1000), ("ONO", 30, 1100), ("000", 30, 1000)],
)
def test_scaling_index_scales_interest_and_principal(effect: str, interest: int, principal: int) -> None:
    terms = BOND | {
        "scalingEffect": effect,
        "cycleAnchorDateOfScalingIndex": "2020-07-01",
        "cycleOfScalingIndex": "P1YL1",
        "marketObjectCodeOfScalingIndex": "CPI",
        "scalingIndexAtContractDealDate": "200",
    }
    rows = flows(terms, CPI=[("2020-07-01", "220")])

    assert rows[-2:] == [("2021-01-01", "IP", interest), ("2021-01-01", "MD", principal)]
    assert states(terms, "IP", CPI=[("2020-07-01", "220")])[-1][0] == 1000, (
        "the notional itself is not scaled"
    )
    assert ("2020-07-01", "SC", 0) in rows or effect == "000"


@pytest.mark.parametrize(("basis", "rate", "fee"), [("A", "5", 5), ("N", "0.02", 10)])
def test_fees_are_an_amount_or_a_rate_on_the_notional(basis: str, rate: str, fee: int) -> None:
    terms = BOND | {
        "feeBasis": basis,
        "feeRate": rate,
        "cycleAnchorDateOfFee": "2020-07-01",
        "cycleOfFee": "P6ML1",
    }

    assert [row for row in flows(terms) if row[1] == "FP"] == [
        ("2020-07-01", "FP", fee),
        ("2021-01-01", "FP", fee),
    ]
    assert [row[1] for row in flows(terms)[1:3]] == ["IP", "FP"], "fees come after interest"


def test_fee_accrued_at_the_status_date_is_paid_with_the_first_fee() -> None:
    terms = BOND | {
        "feeBasis": "N",
        "feeRate": "0.02",
        "feeAccrued": "3",
        "cycleAnchorDateOfFee": "2020-07-01",
        "cycleOfFee": "P6ML1",
    }

    assert [row[2] for row in flows(terms) if row[1] == "FP"] == [13, 10]


def test_a_live_contract_accrues_from_the_status_date() -> None:
    live = BOND | {"statusDate": "2020-06-01"}

    assert_flows(flows(live), ("2020-07-01", "IP", 5), ("2021-01-01", "IP", 30), ("2021-01-01", "MD", 1000))
    assert flows(live | {"accruedInterest": "25"})[0] == ("2020-07-01", "IP", 30)


def test_events_at_the_status_date_are_past() -> None:
    assert flows(BOND | {"statusDate": "2020-07-01"})[0] == ("2021-01-01", "IP", 30)


def test_the_horizon_is_included() -> None:
    assert [row[1] for row in flows(BOND, to="2020-07-01T00:00:00")] == ["IED", "IP"]
    assert [row[1] for row in flows(BOND, to="2020-06-30T00:00:00")] == ["IED"]


def test_30e_360_isda_takes_maturity_as_termination() -> None:
    """31 August 2020 to 28 February 2021 is 180 days of 30E/360 ISDA, but 178 at maturity."""
    terms = BOND | {
        "dayCountConvention": "30E360ISDA",
        "initialExchangeDate": "2020-08-31",
        "cycleAnchorDateOfInterestPayment": "2021-02-28",
        "nominalInterestRate": "0.36",
        "endOfMonthConvention": "EOM",
    }

    assert flows(terms | {"maturityDate": "2021-08-31"})[1] == ("2021-02-28", "IP", 180)
    assert flows(terms | {"maturityDate": "2021-02-28"})[1] == ("2021-02-28", "IP", 178)


# ---------------------------------------------------------------- LAM


def test_linear_amortizer_redeems_before_it_pays_interest() -> None:
    assert_flows(
        flows(LOAN | {"nextPrincipalRedemptionPayment": "300"}),
        ("2020-01-01", "IED", -1000),
        ("2020-04-01", "PR", 300),
        ("2020-04-01", "IP", 15),
        ("2020-07-01", "PR", 300),
        ("2020-07-01", "IP", Fraction("10.5")),
        ("2020-10-01", "PR", 300),
        ("2020-10-01", "IP", 6),
        ("2021-01-01", "IP", Fraction("1.5")),
        ("2021-01-01", "MD", 100),
    )


def test_linear_amortizer_redeems_at_most_what_is_left() -> None:
    rows = flows(LOAN | {"nextPrincipalRedemptionPayment": "600"})

    assert [row[2] for row in rows if row[1] in ("PR", "MD")] == [600, 400, 0, 0]


def test_linear_amortizer_without_payment_redeems_equal_parts() -> None:
    assert [row[2] for row in flows(LOAN) if row[1] in ("PR", "MD")] == [250, 250, 250, 250]


def test_linear_amortizer_without_maturity_ends_after_the_payments_it_needs() -> None:
    terms = LOAN | {"nextPrincipalRedemptionPayment": "300", "maturityDate": None}

    assert [row[:2] for row in flows(terms) if row[1] in ("PR", "MD")] == [
        ("2020-04-01", "PR"),
        ("2020-07-01", "PR"),
        ("2020-10-01", "PR"),
        ("2021-01-01", "MD"),
    ]
    live = flows(terms | {"statusDate": "2020-08-01", "notionalPrincipal": "400"})
    assert [row[:2] for row in live if row[1] in ("PR", "MD")] == [("2020-10-01", "PR"), ("2021-01-01", "MD")]


@pytest.mark.parametrize(
    ("terms", "interest"),
    [
        ({}, [15, Fraction("11.25"), Fraction("7.5"), Fraction("3.75")]),
        (
            {"interestCalculationBase": "NTIED", "interestCalculationBaseAmount": "2000"},
            [30, Fraction("11.25"), Fraction("7.5"), Fraction("3.75")],
        ),
        (
            {
                "interestCalculationBase": "NTL",
                "interestCalculationBaseAmount": "1000",
                "cycleAnchorDateOfInterestCalculationBase": "2020-07-01",
                "cycleOfInterestCalculationBase": "P1YL1",
            },
            [15, 15, Fraction("7.5"), Fraction("7.5")],
        ),
    ],
)
def test_interest_base_decides_what_interest_is_computed_on(terms, interest) -> None:
    assert [row[2] for row in flows(LOAN | terms) if row[1] == "IP"] == interest


def test_interest_base_at_exchange_holds_for_payments_that_include_interest() -> None:
    """Interest on 1000 throughout; in a LAM (above) it would follow the first redemption."""
    terms = LOAN | {
        "contractType": "NAM",
        "nextPrincipalRedemptionPayment": "265",
        "interestCalculationBase": "NTIED",
    }

    assert [row[2] for row in flows(terms) if row[1] == "IP"] == [15, 15, 15, 15]


def test_linear_amortizer_scales_redemptions() -> None:
    terms = LOAN | {
        "scalingEffect": "0N0",
        "cycleAnchorDateOfScalingIndex": "2020-07-01",
        "cycleOfScalingIndex": "P1YL1",
        "marketObjectCodeOfScalingIndex": "CPI",
        "scalingIndexAtStatusDate": "100",
    }

    assert [row[2] for row in flows(terms, CPI=[("2020-07-01", "120")]) if row[1] in ("PR", "MD")] == [
        250,
        250,
        300,
        300,
    ]


def test_linear_amortizer_moves_its_maturity_to_a_business_day() -> None:
    """3 January 2021 is a Sunday."""
    terms = LOAN | {
        "calendar": "MF",
        "businessDayConvention": "CSF",
        "maturityDate": "2021-01-03",
        "cycleAnchorDateOfInterestPayment": "2020-04-03",
        "cycleAnchorDateOfPrincipalRedemption": "2020-04-03",
    }

    assert [row[:2] for row in flows(terms)[-2:]] == [("2021-01-04", "IP"), ("2021-01-04", "MD")]


# ---------------------------------------------------------------- NAM


def test_negative_amortizer_adds_unpaid_interest_to_the_notional() -> None:
    terms = LOAN | {"contractType": "NAM", "nextPrincipalRedemptionPayment": "10"}
    rows = flows(terms)

    assert rows[1:3] == [("2020-04-01", "PR", -5), ("2020-04-01", "IP", 15)]
    assert states(terms, "PR")[0] == (1005, Fraction(6, 100), 15)
    assert_flows(rows[3:4], ("2020-07-01", "PR", 10 - Fraction("15.075")))


def test_negative_amortizer_without_maturity_ends_when_the_payments_suffice() -> None:
    """315 a quarter repays 300 at first: ceil(1000 / 300) = 4 payments, the last at maturity."""
    terms = LOAN | {"contractType": "NAM", "nextPrincipalRedemptionPayment": "315", "maturityDate": None}

    assert [row[:2] for row in flows(terms) if row[1] in ("PR", "MD")][-1] == ("2021-01-01", "MD")


def test_negative_amortizer_that_never_amortises_needs_a_maturity() -> None:
    terms = LOAN | {"contractType": "NAM", "nextPrincipalRedemptionPayment": "15", "maturityDate": None}

    with pytest.raises(InputError, match="nextPrincipalRedemptionPayment"):
        run(case(terms))


def test_interest_of_a_negative_amortizer_without_interest_terms_falls_on_redemptions() -> None:
    terms = LOAN | {
        "contractType": "NAM",
        "nextPrincipalRedemptionPayment": "100",
        "cycleOfInterestPayment": None,
        "cycleAnchorDateOfInterestPayment": None,
    }

    assert [row[:2] for row in flows(terms)][1:3] == [("2020-04-01", "PR"), ("2020-04-01", "IP")]


# ---------------------------------------------------------------- ANN

ANNUITY = LOAN | {"contractType": "ANN"}


def test_annuity_fixes_its_level_payment_the_day_before_the_first() -> None:
    rows = flows(ANNUITY)
    quarter = Fraction(15, 1000)
    level = 1000 * quarter / (1 - 1 / (1 + quarter) ** 4)

    assert rows[1] == ("2020-03-31", "PRF", 0)
    payments: dict[str, Fraction] = {}
    for day, kind, payoff in rows[2:]:
        payments[day] = payments.get(day, Fraction(0)) + payoff
        assert kind in ("PR", "IP", "MD")
    assert len(payments) == 4
    for paid in payments.values():
        assert abs(paid - level) < TOLERANCE


def test_annuity_counts_a_first_period_that_differs() -> None:
    """First redemption after 4 months at 12 %: 1040 are then spread over three payments."""
    terms = ANNUITY | {
        "nominalInterestRate": "0.12",
        "maturityDate": "2020-11-01",
        "cycleAnchorDateOfPrincipalRedemption": "2020-05-01",
        "cycleAnchorDateOfInterestPayment": "2020-05-01",
    }
    growth = Fraction(103, 100)
    level = 1040 * growth**2 / (1 + growth + growth**2)

    first = [row for row in flows(terms) if row[0] == "2020-05-01"]
    assert abs(sum(row[2] for row in first) - level) < TOLERANCE


def test_annuity_refixes_its_payment_at_each_reset_and_still_ends_at_zero() -> None:
    terms = ANNUITY | {
        "cycleAnchorDateOfRateReset": "2020-07-01",
        "cycleOfRateReset": "P3ML1",
        "marketObjectCodeOfRateReset": "LIBOR",
    }
    observed = [("2020-07-01", "0.10"), ("2020-10-01", "0.02")]
    rows = flows(terms, LIBOR=observed)

    assert [row[1] for row in rows if row[0] == "2020-07-01"] == ["PR", "IP", "RR", "PRF"]
    notional = states(terms, "IP", LIBOR=observed)[1][0]
    growth = 1 + Fraction(10, 100) / 4
    level = notional * growth**2 / (1 + growth)
    assert abs(sum(row[2] for row in rows if row[0] == "2020-10-01") - level) < TOLERANCE
    assert states(terms, "MD", LIBOR=observed)[0][0] == 0
    principal = sum(row[2] for row in rows if row[1] in ("PR", "MD"))
    assert principal == 1000


def test_annuity_with_a_given_payment_has_no_first_fixing() -> None:
    rows = flows(ANNUITY | {"nextPrincipalRedemptionPayment": "300"})

    assert "PRF" not in [row[1] for row in rows]
    assert rows[1] == ("2020-04-01", "PR", 285)


def test_annuity_sized_for_a_later_amortisation_date_leaves_a_balloon() -> None:
    rows = flows(ANNUITY | {"amortizationDate": "2030-01-01"})
    quarter = Fraction(15, 1000)
    level = 1000 * quarter / (1 - 1 / (1 + quarter) ** 40)

    assert abs(rows[2][2] - (level - 15)) < TOLERANCE
    assert rows[-1][1] == "MD"
    assert rows[-1][2] > 900


def test_annuity_live_at_the_status_date_levels_what_is_left() -> None:
    rows = flows(ANNUITY | {"statusDate": "2020-07-01", "notionalPrincipal": "500"})
    quarter = Fraction(15, 1000)
    level = 500 * quarter / (1 - 1 / (1 + quarter) ** 2)

    assert [row[0] for row in rows] == ["2020-10-01", "2020-10-01", "2021-01-01", "2021-01-01"]
    assert abs(rows[0][2] + rows[1][2] - level) < TOLERANCE


def test_annuity_without_maturity_derives_it() -> None:
    derived = ANNUITY | {"maturityDate": None, "nextPrincipalRedemptionPayment": "315"}

    assert flows(derived)[-1][:2] == ("2021-01-01", "MD")
    assert flows(ANNUITY | {"maturityDate": None, "amortizationDate": "2021-01-01"})[-1][:2] == (
        "2021-01-01",
        "MD",
    )


# ---------------------------------------------------------------- any contract

LOANS = st.fixed_dictionaries(
    {
        "contractType": st.sampled_from(["LAM", "ANN"]),
        "notionalPrincipal": st.integers(1, 10**9).map(str),
        "nominalInterestRate": st.integers(0, 200).map(lambda permille: f"0.{permille:03d}"),
        "dayCountConvention": st.sampled_from(["30E360", "A360", "A365", "AA", "30E360ISDA", "30/360"]),
        "cycleOfPrincipalRedemption": st.sampled_from(["P1ML0", "P1ML1", "P3ML1", "P6ML0", "P45DL1"]),
    }
)


@given(LOANS, st.integers(40, 4000))
def test_principal_paid_is_the_notional_and_nothing_is_left(terms: dict[str, Any], life_days: int) -> None:
    loan = (
        LOAN
        | terms
        | {
            "maturityDate": (date(2020, 1, 1) + timedelta(days=life_days)).isoformat(),
            "cycleAnchorDateOfPrincipalRedemption": "2020-02-01",
            "cycleOfInterestPayment": terms["cycleOfPrincipalRedemption"],
            "cycleAnchorDateOfInterestPayment": "2020-02-01",
        }
    )
    events = run(case(loan))

    paid = sum(event.payoff_wad for event in events if event.kind in (EventKind.PR, EventKind.MD))
    assert paid == int(terms["notionalPrincipal"]) * WAD
    assert events[-1].notional_wad == events[-1].accrued_wad == 0
    assert all(event.notional_wad >= 0 for event in events)


@given(LOANS)
def test_the_other_role_has_the_opposite_flows(terms: dict[str, Any]) -> None:
    loan = LOAN | terms | {"maturityDate": "2023-03-15"}
    lender, borrower = run(case(loan)), run(case(loan | {"contractRole": "RPL"}))

    assert [event.payoff_wad for event in lender] == [-event.payoff_wad for event in borrower]
    assert [event.notional_wad for event in lender] == [-event.notional_wad for event in borrower]
    assert [event.rate_wad for event in lender] == [event.rate_wad for event in borrower]


@given(
    st.dates(min_value=date(2015, 1, 1), max_value=date(2018, 12, 28)).filter(lambda day: day.day <= 28),
    st.sampled_from([1, 3, 6, 12]),
    st.integers(1, 12),
    st.sampled_from(
        [("A360", QuantLib.Actual360()), ("A365", QuantLib.Actual365Fixed()), ("30E360", EUROBOND)]
    ),
    st.sampled_from(
        [("SCF", QuantLib.Following), ("SCMF", QuantLib.ModifiedFollowing), ("SCP", QuantLib.Preceding)]
    ),
)
def test_a_fixed_bond_pays_what_quantlib_says(issue, months, periods, day_count, rule) -> None:
    """Issue and maturity on business days: there both libraries shift and count the same days."""
    target = QuantLib.TARGET()
    start = QuantLib.Date(issue.day, issue.month, issue.year)
    end = start + QuantLib.Period(months * periods, QuantLib.Months)
    assume(target.isBusinessDay(start) and target.isBusinessDay(end))
    schedule = QuantLib.Schedule(
        start,
        end,
        QuantLib.Period(months, QuantLib.Months),
        target,
        rule[1],
        rule[1],
        QuantLib.DateGeneration.Forward,
        False,
    )
    coupons = QuantLib.FixedRateLeg(
        schedule, day_count[1], [1000.0], [0.06], paymentAdjustment=QuantLib.Unadjusted
    )

    terms = BOND | {
        "statusDate": (issue - timedelta(days=1)).isoformat(),
        "initialExchangeDate": issue.isoformat(),
        "maturityDate": end.ISO(),
        "calendar": "TARGET",
        "businessDayConvention": rule[0],
        "dayCountConvention": day_count[0],
        "cycleOfInterestPayment": f"P{months}ML1",
        "cycleAnchorDateOfInterestPayment": (start + QuantLib.Period(months, QuantLib.Months)).ISO(),
    }
    paid = [row for row in flows(terms) if row[1] == "IP"]

    assert [row[0] for row in paid] == [coupon.date().ISO() for coupon in coupons]
    for row, coupon in zip(paid, coupons, strict=True):
        assert float(row[2]) == pytest.approx(coupon.amount(), abs=1e-9)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"contractType": "LAX"}, "contractType.*ANN, LAM, NAM, PAM"),
        ({"contractType": None}, "contractType"),
        ({"contractRole": "XXX"}, "contractRole.*RPA"),
        ({"arrayRate": "0.05"}, "arrayRate"),
        ({"cycleOfPrincipalRedemption": "P1ML0"}, "cycleOfPrincipalRedemption.*PAM"),
        ({"prepaymentEffect": "A"}, "prepaymentEffect"),
        ({"cyclePointOfInterestPayment": "B"}, "cyclePointOfInterestPayment"),
        ({"settlementCurrency": "EUR"}, "settlementCurrency"),
        ({"dayCountConvention": "ACT/999"}, "dayCountConvention"),
        ({"dayCountConvention": None}, "dayCountConvention"),
        ({"dayCountConvention": "ActualActual.ISMA"}, "dayCountConvention"),
        ({"cycleOfInterestPayment": "1Q+"}, "cycleOfInterestPayment.*P1ML0"),
        ({"calendar": "MOON"}, "calendar.*TARGET"),
        ({"businessDayConvention": "MODFOL"}, "businessDayConvention"),
        ({"nominalInterestRate": "5"}, "nominalInterestRate.*0.05.*got 5"),
        ({"nominalInterestRate": "five"}, "nominalInterestRate"),
        ({"nominalInterestRate": True}, "nominalInterestRate"),
        ({"notionalPrincipal": "1e99"}, "notionalPrincipal"),
        ({"notionalPrincipal": "NaN"}, "notionalPrincipal"),
        ({"notionalPrincipal": None}, "notionalPrincipal"),
        ({"maturityDate": "2019-01-01"}, "maturityDate.*2020-01-01"),
        ({"maturityDate": "tomorrow"}, "maturityDate"),
        ({"maturityDate": "2021-01-01T00:00:00Z"}, "maturityDate"),
        ({"maturityDate": None}, "maturityDate"),
        ({"feeRate": "1", "cycleOfFee": "P1YL1"}, "feeBasis"),
        ({"cycleOfRateReset": "P3ML1"}, "marketObjectCodeOfRateReset"),
        ({"cycleOfRateReset": "P3ML1", "marketObjectCodeOfRateReset": "X"}, "dataObserved: X"),
        (
            {"scalingEffect": "INO", "cycleOfScalingIndex": "P3ML1", "marketObjectCodeOfScalingIndex": "X"},
            "scalingIndexAtContractDealDate",
        ),
    ],
)
def test_a_term_at_fault_is_named(terms: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(case(BOND | terms))


def test_a_case_of_another_shape_is_named() -> None:
    for raw, message in [
        ([], "an object"),
        ({}, "terms"),
        (case(BOND) | {"eventsObserved": [{"type": "PP"}]}, "eventsObserved"),
        (case(BOND) | {"dataObserved": []}, "ok"),
        (case(BOND) | {"dataObserved": {"X": 1}}, "dataObserved.X"),
        (case(BOND) | {"dataObserved": {"X": {"data": [1]}}}, "timestamp"),
        (case(BOND) | {"to": "never"}, "to: expected a date"),
    ]:
        if message == "ok":
            assert run(raw)
            continue
        with pytest.raises(InputError, match=message):
            parse_case("x", raw)


def test_no_value_before_the_first_observation() -> None:
    with pytest.raises(InputError, match="at or before 2020-07-01"):
        run(case(FLOATER, LIBOR=[("2020-08-01", "0.05")]))


def test_a_calendar_without_data_is_refused() -> None:
    terms = BOND | {"calendar": "HK", "businessDayConvention": "SCF", "maturityDate": "2028-01-01"}

    with pytest.raises(CalendarYearMissing):
        run(case(terms))


def test_unknown_names_are_unknown_names() -> None:
    with pytest.raises(UnknownName):
        run(case(BOND | {"contractRole": "XXX"}))


def test_empty_and_null_terms_are_absent() -> None:
    assert flows(BOND | {"lifeCap": "", "purchaseDate": "  "}) == flows(BOND)


def test_terms_survive_pickling() -> None:
    terms = parse_case("x", case(BOND | {"calendar": "MF", "businessDayConvention": "SCF"})).terms

    assert pickle.loads(pickle.dumps(terms)) == terms  # noqa: S301


def test_every_supported_term_is_documented() -> None:
    page = (PROJECT / "docs" / "actus.md").read_text(encoding="utf-8")

    for name in sorted(terms_of(ContractType.ANN)):
        assert f"`{name}`" in page, name


# ---------------------------------------------------------------- fixed point


@pytest.mark.parametrize(
    ("text", "wad"),
    [
        ("5000", 5000 * WAD),
        (" 0.08", 8 * WAD // 100),
        ("-1e-18", -1),
        ("1.0000000000000000005", WAD),
        ("0", 0),
    ],
)
def test_wad_reads_decimals_to_the_nearest(text: str, wad: int) -> None:
    assert wad_from_text(text) == wad


@given(st.integers(-(10**40), 10**40))
def test_wad_text_is_exact(amount_wad: int) -> None:
    assert Fraction(text_from_wad(amount_wad)) == Fraction(amount_wad, WAD)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_nearest_is_within_a_half(numerator: int, denominator: int) -> None:
    assert abs(nearest(numerator, denominator) - Fraction(numerator, denominator)) <= Fraction(1, 2)


# ---------------------------------------------------------------- commands


@pytest.fixture
def app() -> typer.Typer:
    application = typer.Typer()
    cashflows_command.register(application)
    daycount_command.register(application)
    return application


def test_cashflows_command_computes_the_good_and_names_the_bad(app, tmp_path) -> None:
    source, out = tmp_path / "cases.json", tmp_path / "events.json"
    source.write_text(
        json.dumps({"good": case(BOND), "bad": case(BOND | {"arrayRate": "1"})}), encoding="utf-8"
    )

    result = CliRunner().invoke(app, ["cashflows", str(source), "--out", str(out), "--json"])

    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert (summary["cases"], summary["computed"]) == (2, 1)
    assert "arrayRate" in summary["refused"]["bad"]
    written = json.loads(out.read_text(encoding="utf-8"))
    assert "arrayRate" in written["bad"]["error"]
    assert written["good"]["results"][1] == {
        "eventDate": "2020-07-01T00:00",
        "eventType": "IP",
        "payoff": 30,
        "currency": "USD",
        "notionalPrincipal": 1000,
        "nominalInterestRate": 0.06,
        "accruedInterest": 0,
    }
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["cases.json", "events.json"]


def test_cashflows_command_keeps_all_digits(app, tmp_path) -> None:
    source, out = tmp_path / "cases.json", tmp_path / "events.json"
    terms = BOND | {"notionalPrincipal": 1234567890123.123456789012345678}
    text = json.dumps({"c": case(terms)}).replace(
        json.dumps(terms["notionalPrincipal"]), "1234567890123.123456789012345678"
    )
    source.write_text(text, encoding="utf-8")

    result = CliRunner().invoke(app, ["cashflows", str(source), "--out", str(out)])

    assert result.exit_code == 0
    assert "1 of 1 cases computed" in result.stdout
    assert '"payoff": -1234567890123.123456789012345678,' in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("text", "message"), [("[1", "JSON"), ("[1]", "got list"), ("3", "got str")])
def test_cashflows_command_refuses_a_file_of_another_shape(app, tmp_path, text: str, message: str) -> None:
    source = tmp_path / "cases.json"
    source.write_text(text, encoding="utf-8")

    result = CliRunner().invoke(app, ["cashflows", str(source), "--out", str(tmp_path / "events.json")])

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (tmp_path / "events.json").exists()


def test_cashflows_command_refuses_a_missing_file_and_makes_the_folder(app, tmp_path) -> None:
    source = tmp_path / "cases.json"
    missing = CliRunner().invoke(app, ["cashflows", str(source), "--out", str(tmp_path / "events.json")])
    source.write_text("{}", encoding="utf-8")
    below_a_file = CliRunner().invoke(app, ["cashflows", str(source), "--out", str(source / "events.json")])
    new_folder = CliRunner().invoke(
        app, ["cashflows", str(source), "--out", str(tmp_path / "new" / "events.json")]
    )

    assert isinstance(missing.exception, InputError)
    assert isinstance(below_a_file.exception, OSError), "which the command line turns into one line"
    assert new_folder.exit_code == 0
    assert (tmp_path / "new" / "events.json").is_file()


def test_daycount_command_prints_days_and_exact_fraction(app) -> None:
    result = CliRunner().invoke(app, ["daycount", "30/360.BondBasis", "2006-08-31", "2007-02-28", "--json"])

    assert json.loads(result.stdout) == {
        "convention": "30/360.BondBasis",
        "days": 178,
        "year_fraction": "89/180",
        "decimal": "0.494444444444444444",
    }


def test_daycount_command_takes_references_termination_and_calendar(app) -> None:
    def fraction(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["daycount", *arguments, "--json"])
        return json.loads(result.stdout)["year_fraction"]

    assert (
        fraction(
            "ACT/ACT ICMA", "2003-11-01", "2004-05-01", "--ref-start", "2003-11-01", "--ref-end", "2004-05-01"
        )
        == "1/2"
    )
    assert fraction("30E/360.ISDA", "2010-08-31", "2011-02-28", "--termination", "2011-02-28") == "89/180"
    assert fraction("30E/360.ISDA", "2010-08-31", "2011-02-28") == "1/2"
    assert fraction("BUS/252", "2026-04-02", "2026-04-08", "--calendar", "TARGET") == "1/126"
    assert fraction("A360", "2021-01-01", "2020-01-01") == "-61/60"
    plain = CliRunner().invoke(app, ["daycount", "A360", "2020-01-01", "2020-01-31"])
    assert plain.stdout == "Actual/360: 30 days, 1/12 = 0.083333333333333333 years\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ACT/999", "2020-01-01", "2020-07-01"], "ACT/999"),
        (["A360", "2020-02-30", "2020-07-01"], "START"),
        (["A360", "2020-01-01", "soon"], "END"),
        (["ACT/ACT ICMA", "2020-01-01", "2020-07-01"], "ref_start"),
        (["BUS/252", "2020-01-01", "2020-07-01"], "calendar"),
        (["BUS/252", "2020-01-01", "2020-07-01", "--calendar", "MOON"], "--calendar"),
        (["BUS/252", "2026-01-01", "2027-07-01", "--calendar", "HK"], "2027"),
    ],
)
def test_daycount_command_refuses_bad_input(app, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["daycount", *arguments])

    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
