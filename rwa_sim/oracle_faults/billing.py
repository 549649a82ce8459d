"""From the register to money: invoice, bank statement, conversion, and what the nodes are told of it.

    registers closed ─► invoice: energy x tariff, whole cents ─► the off-taker pays
    bank ─► camt.053 ─► nodes (what they believe)
       └──► on-ramp ─► waterfall (what is there)

The invoice is made from the register that the nodes accept. That is the worst case on purpose: a wrong
watt-hour becomes a wrong cent of real money, and no cash guard can see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from oracles.adapters.bank_book import BankBook, to_cashflow
from oracles.adapters.camt import parse_camt
from oracles.adapters.statement_notes import note_statement
from oracles.devices.trust_account import Statement, StatementLine, to_camt053
from oracles.errors import QuotesDisagree, StaleQuote
from oracles.guard import DAY_S
from oracles.quotes import CrossCheckedQuotes, Quote, QuoteBook
from oracles.schema import CashflowEvent
from rwa_sim.oracle_faults.series import Series

if TYPE_CHECKING:
    from rwa_sim.oracle_faults.world import World

PAY_AFTER_S = 9 * DAY_S  # the off-taker's payment is booked so long after the invoice
CENT_USD6 = 10_000
QUOTE_AGE_S = 2 * DAY_S
QUOTE_SPREAD_BPS = 50
_RATE = "USD per EUR"


class Billing:
    """Invoices and bank of one run. `told` is what the nodes were told was booked, in order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.book = BankBook()
        self.told: list[CashflowEvent] = []
        self.register_wh: dict[int, int] = {}  # what was billed, by period
        self._quotes: CrossCheckedQuotes | None = None
        self._billed_cents = 0
        self._bank_cents = 0
        self._booked: set[tuple[str, str]] = set()
        self._untold: set[int] = set()

    def begin(self) -> None:
        """Let two sources quote the rate, if the deal is paid in euros."""
        world, quotes = self._world, self._world.setup.quotes
        if quotes is None:
            return
        first = quotes(true_quotes(world.series, world.kit.rng), world.kit)
        second = true_quotes(world.series, world.kit.rng)
        books = [
            QuoteBook(f"{_RATE}, {name} source", max_age_s=QUOTE_AGE_S, quotes=given)
            for name, given in (("first", first), ("second", second))
        ]
        self._quotes = CrossCheckedQuotes(_RATE, books=books, most_spread_bps=QUOTE_SPREAD_BPS)

    def is_told(self, period_id: int, now_s: int) -> bool:
        """Whether the nodes know what was booked for a period that was billed; tells them if they can be."""
        return period_id not in self._untold or self._tell_nodes(period_id, now_s)

    def pay(self, period_id: int, paid_s: int) -> bool:
        """The off-taker pays the period's invoice. Whether the nodes know of it."""
        world = self._world
        total_cents = (world.setup.invoice or invoice_cents)(world, period_id)
        due_cents = max(0, total_cents - self._billed_cents)
        self._billed_cents = max(self._billed_cents, total_cents)
        line = StatementLine(reference=f"PPA-{period_id:04d}", amount_minor=due_cents, booked_at_s=paid_s)
        lines = [line] if due_cents else []
        if world.setup.bank is not None:
            changed = world.setup.bank(list(lines), period_id)
            if changed != lines:
                world.notices.begin_fault(paid_s)
            lines = changed
        if not self._state(lines, period_id, paid_s):
            return False
        world.note.on_ramp(self._true_usd6(lines, paid_s), paid_s)
        world.distribute_held(paid_s + 1)
        return self._tell_nodes(period_id, paid_s)

    def _state(self, lines: Sequence[StatementLine], period_id: int, paid_s: int) -> bool:
        """The bank's statement is read and booked. Whether it adds up."""
        setup, notices = self._world.setup, self._world.notices
        statement = Statement(
            account="DE02120300000000202051",
            currency="USD" if setup.quotes is None else "EUR",
            sequence=period_id,
            created_at_s=paid_s + 60,
            opening_minor=self._bank_cents,
            lines=tuple(lines),
        )
        self._bank_cents = statement.closing_minor
        messages = [to_camt053(statement)] * (2 if setup.is_restated else 1)
        if setup.is_restated:
            messages.append(to_camt053(replace(statement, message="again")))
        for message in messages:
            parsed = parse_camt(message)
            for each in parsed:
                notes = note_statement(each)
                for finding in notes.findings:
                    notices.add(f"bank: {finding.kind}", paid_s, period_id)
                    return False
                if notes.reversal_count:
                    notices.add("bank: reversal", paid_s, period_id)
                if set(notes.status_counts) - {"BOOK"}:
                    notices.add("bank: not booked", paid_s, period_id)
            self.book.add(parsed)
        if self.book.redelivered_count:
            notices.add("bank: statement again", paid_s, period_id)
        return True

    def _tell_nodes(self, period_id: int, paid_s: int) -> bool:
        """Convert what the bank booked and tell the nodes; whether there was a rate to do it with."""
        self._untold.add(period_id)
        rate = None
        if self._quotes is not None:
            try:
                rate = self._quotes.at(paid_s)
            except (StaleQuote, QuotesDisagree) as refused:
                if isinstance(refused, StaleQuote) and refused.as_of_s is not None:
                    self._world.notices.begin_fault(refused.as_of_s)
                self._world.notices.add(type(refused).__name__, paid_s, period_id)
                return False
        for entry in self.book.booked_entries():
            event = replace(to_cashflow(entry, usd_per_unit=rate), period_id=period_id)
            if (event.account, event.entry_ref) not in self._booked:
                self._world.network.credit(event)
                self.told.append(event)
                self._booked.add((event.account, event.entry_ref))
        self._untold.discard(period_id)
        return True

    def _true_usd6(self, lines: Sequence[StatementLine], paid_s: int) -> int:
        """What the bank really credits, in micro-dollars; at the true rate where it is foreign."""
        cents = max(0, sum(line.signed_minor for line in lines))
        if self._world.setup.quotes is None:
            return cents * CENT_USD6
        return int(Decimal(cents * CENT_USD6) * true_rate(self._world.series, paid_s))


def invoice_cents(world: World, period_id: int) -> int:
    """All that was invoiced up to a period: energy so far x tariff, whole cents, rounded down."""
    energy_wh = world.billing.register_wh[period_id] - world.setup.first_register_wh
    amount = energy_wh * world.series.tariff_usd_per_kwh / 1_000 * 100
    return amount.numerator // amount.denominator


def true_rate(series: Series, at_s: int) -> Decimal:
    """Dollars for a euro on a day; it rises by a tenth of a cent a day."""
    day = (at_s - series.boundaries_s[0]) // DAY_S
    return Decimal("1.0500") + Decimal(day) / 1_000


def true_quotes(series: Series, rng: Random) -> list[Quote]:
    """One quote a day, at an hour that chance chooses."""
    first_s, last_s = series.boundaries_s[0], series.end_s + 4 * PAY_AFTER_S
    instants = [day_s + 3_600 * rng.randrange(8) for day_s in range(first_s, last_s, DAY_S)]
    return [Quote(as_of_s=at_s, value=true_rate(series, at_s)) for at_s in instants]
