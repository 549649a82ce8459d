"""Time the cash flows of a loan book: 30 years, monthly, half bullet and half level pay.

    python scripts/bench_cashflows.py --loans 10000 --issue-dates 120

`--issue-dates` spreads the issue dates: loans of the same month share their dates, and
with as many issue dates as loans nothing is shared.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import datetime, timedelta

from rwa_sim.domain.actus import ContractTerms, ContractType, cashflows
from rwa_sim.domain.actus.fixed import WAD
from rwa_sim.domain.calendar import business_calendar
from rwa_sim.domain.daycount import day_count
from rwa_sim.domain.schedule import business_day_rule, parse_cycle, shifted_by

MONTHLY = parse_cycle("P1ML0", where="bench", key="cycle")
YEARLY = parse_cycle("P1YL0", where="bench", key="cycle")
FIRST_ISSUE = datetime(2000, 1, 15)  # noqa: DTZ001
YEARS = 30


def loan(number: int, issue_dates: int, convention: str) -> ContractTerms:
    """Loan of that number: even ones bullet, odd ones level pay, each with its own amounts."""
    issue_number = number // 2 % issue_dates
    issue = shifted_by(FIRST_ISSUE, MONTHLY, issue_number % 600, keep_month_end=False)
    issue += timedelta(days=issue_number // 600)
    level = number % 2 == 1
    return ContractTerms(
        contract_type=ContractType.ANN if level else ContractType.PAM,
        sign=1,
        status_date=issue - timedelta(days=1),
        initial_exchange_date=issue,
        maturity_date=shifted_by(issue, YEARLY, YEARS, keep_month_end=False),
        notional_wad=(100_000 + number) * WAD,
        nominal_rate_wad=WAD // 50 + number * WAD // 10**6,
        day_count=day_count(convention),
        business_days=business_day_rule("NOS", business_calendar("NC"), where="bench", key="rule"),
        interest_cycle=MONTHLY,
        interest_anchor=shifted_by(issue, MONTHLY, 1, keep_month_end=False),
        redemption_cycle=MONTHLY if level else None,
        redemption_anchor=shifted_by(issue, MONTHLY, 1, keep_month_end=False) if level else None,
    )


def main() -> None:
    """Compute the book once and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=10_000)
    parser.add_argument("--issue-dates", type=int, default=120)
    parser.add_argument("--convention", default="30E/360")
    options = parser.parse_args()

    started = time.perf_counter()
    events = 0
    unpaid_wad = 0
    for number in range(options.loans):
        flows = cashflows(loan(number, options.issue_dates, options.convention))
        events += len(flows)
        unpaid_wad += flows[-1].notional_wad
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "loans": options.loans,
                "issue_dates": options.issue_dates,
                "convention": options.convention,
                "events": events,
                "unpaid_wad": unpaid_wad,
                "seconds": round(seconds, 2),
                "microseconds_per_event": round(seconds / events * 1e6, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
