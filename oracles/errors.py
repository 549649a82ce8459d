"""What the oracle network refuses to do. Expected failures, never defects.

RwaError
└── OracleRefusal            no report, or no signature, by rule (exit 1)
    ├── QuorumNotReached     too few observations or signatures: nothing is reported
    ├── ReportRejected       an observation, report or signature breaks a rule
    └── EquivocationRefused  a second, different report for a period already signed
"""

from __future__ import annotations

from rwa_sim.errors import RwaError


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
