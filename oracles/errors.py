"""What the oracle network refuses to do. Expected failures, never defects.

RwaError
└── OracleRefusal            no report, or no signature, by rule (exit 1)
    ├── QuorumNotReached     too few observations or signatures: nothing is reported
    ├── ReportRejected       an observation, report or signature breaks a rule
    ├── EquivocationRefused  a second, different report for a period already signed
    ├── PeriodHeld           a bound or a gap says that a person must look first
    ├── StaleQuote           the last price or rate is too old to convert with
    └── QuotesDisagree       independent sources of one rate say different things
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from rwa_sim.errors import RwaError

if TYPE_CHECKING:
    from oracles.guard import Finding


class OracleRefusal(RwaError):
    """The oracle network did not do what was asked, by rule."""


class QuorumNotReached(OracleRefusal):
    """Too few nodes answered: there is no report, so no payment.

    Attributes:
        stage: "observations" or "signatures".
        needed: least number that makes a report.
        got: number that was valid.
    """

    def __init__(self, *, stage: str, period_id: int, needed: int, got: int, why: str = "") -> None:
        self.stage, self.period_id, self.needed, self.got = stage, period_id, needed, got
        detail = f" ({why})" if why else ""
        super().__init__(f"period {period_id}: {got} valid {stage}, {needed} needed{detail}")


class ReportRejected(OracleRefusal):
    """An observation, report or signature breaks the rule named in `rule`."""

    def __init__(self, *, rule: str, period_id: int, detail: str = "") -> None:
        self.rule, self.period_id = rule, period_id
        super().__init__(f"period {period_id}: {rule}" + (f", {detail}" if detail else ""))


class EquivocationRefused(OracleRefusal):
    """This node signed another report for the same asset and period."""

    def __init__(self, *, period_id: int, signed: bytes, asked: bytes) -> None:
        self.period_id, self.signed, self.asked = period_id, signed, asked
        super().__init__(f"period {period_id}: already signed {signed.hex()[:16]}, asked {asked.hex()[:16]}")


class PeriodHeld(OracleRefusal):
    """The period is held for a person: nothing is observed, so nothing is signed or paid.

    Attributes:
        findings: what holds it; the first one decides.
    """

    def __init__(self, *, period_id: int, findings: tuple[Finding, ...]) -> None:
        self.period_id, self.findings = period_id, findings
        told = "; ".join(f"{each.rule} {each.actual} against {each.bound} {each.unit}" for each in findings)
        super().__init__(f"period {period_id}: held, {told}")


class StaleQuote(OracleRefusal):
    """The newest quote is older than a conversion may use."""

    def __init__(self, *, name: str, at_s: int, as_of_s: int | None, max_age_s: int) -> None:
        self.name, self.at_s, self.as_of_s, self.max_age_s = name, at_s, as_of_s, max_age_s
        age = "there is none" if as_of_s is None else f"the last is {at_s - as_of_s} s old"
        super().__init__(f"quote {name}: expected one of at most {max_age_s} s, {age}")


class QuotesDisagree(OracleRefusal):
    """Independent sources of one price or rate differ by more than a conversion may bear.

    Attributes:
        values: what each source that is fresh says, by its name.
    """

    def __init__(self, *, name: str, at_s: int, values: Mapping[str, Decimal], most_spread_bps: int) -> None:
        self.name, self.at_s, self.most_spread_bps = name, at_s, most_spread_bps
        self.values = dict(values)
        told = ", ".join(f"{source} {value}" for source, value in self.values.items())
        super().__init__(f"quote {name}: expected sources within {most_spread_bps} bps, got {told}")
