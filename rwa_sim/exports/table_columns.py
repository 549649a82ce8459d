"""What each column of the exported tables holds."""

from __future__ import annotations

TABLES = {
    "trades": "The trade tape: one row a trade, the same for every world.",
    "settlements": "How each trade settled, one row a trade and world (`profile`).",
    "coupons": "How each coupon was determined and paid, one row a coupon and world (`profile`).",
    "payments": "Who received what of each coupon, in the world that executed it: one row a holder and coupon.",
}
UNITS = (
    "Amounts (`_usd6`) are integer millionths of a dollar, quantities (`units`) whole bonds, instants (`_s`) seconds",
    "since 1970-01-01 UTC, gas is gas. An empty field (Parquet: null) is an instant that never came.",
)

# by table and column; a table of "" stands for every table
COLUMNS = {
    ("", "trade_id"): "name of the trade",
    ("", "executed_at_s"): "when the trade was agreed",
    ("", "instrument"): "class of the bond",
    ("", "seller"): "who delivers",
    ("", "buyer"): "who pays",
    ("", "units"): "units traded",
    ("", "cash_usd6"): "price of the whole trade",
    ("", "rail"): "tokenised (executed) or conventional (modelled)",
    ("", "profile"): "the world",
    ("settlements", "status"): "settled or failed (never settled)",
    ("", "intended_at_s"): "when it should have been final",
    ("", "finalized_at_s"): "second after which it cannot be undone; empty if it never settled",
    ("", "ended_at_s"): "that second, or when it was given up",
    ("", "attempts"): "attempts to settle",
    ("", "late_business_days"): "business days of the rail after the intended settlement",
    (
        "",
        "fail_reason",
    ): "why it was not final in time: statistical, securities, cash, matching; empty if it was",
    ("", "principal_exposure_usd6_s"): "value x seconds during which one leg was final and the other was not",
    ("", "prefunded_s"): "how long the buyer's cash was locked before finality",
    ("", "fee_usd6"): "fees of the rail, both sides",
    ("", "penalty_usd6"): "cash penalties for lateness",
    ("", "buy_in_usd6"): "what a buy-in cost the failing seller",
    ("", "gas"): "gas used; 0 where nothing was executed on a chain",
    ("", "pieces"): "movements it took: 0 none, 2 or more with partial settlement",
    ("", "coupon_id"): "number of the coupon, by class and world",
    ("", "period_id"): "last period of the cash flow that the coupon distributes",
    ("", "period_start_s"): "start of that period (included)",
    ("", "period_end_s"): "end of that period (excluded)",
    ("", "credited_at_s"): "cash on the collection account",
    ("", "determined_at_s"): "amount determined",
    ("", "record_at_s"): "holders at this instant are owed the coupon",
    ("coupons", "paid_at_s"): "paid by the rail",
    ("payments", "paid_at_s"): "final on the chain",
    ("", "spendable_at_s"): "bank money in the investor's account",
    ("", "due_usd6"): "interest due for this coupon and principal paid with it",
    ("", "interest_usd6"): "interest paid for this coupon",
    ("", "principal_usd6"): "principal paid with it",
    ("", "arrears_paid_usd6"): "paid with it for earlier coupons",
    ("", "paid_usd6"): "what holders received of this coupon",
    ("", "parked_usd6"): "held for payees that cannot receive",
    ("", "float_income_usd6"): "what the waiting cash earned",
    ("", "manual_touches"): "steps done by hand",
    ("", "corrections"): "how often the amount had to be put right",
    ("", "distribution_id"): "pass through the waterfall that paid it",
    ("", "kind"): "coupon, or arrears of an earlier one",
    ("", "holder"): "who is owed it",
    ("payments", "units"): "units held at the record instant",
    ("", "amount_usd6"): "the holder's part, rounded down",
    ("payments", "status"): "paid, or parked for a payee that cannot receive",
}
