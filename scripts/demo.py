"""One bond from the first reading to the coupon, and two trades: the walk to copy from.

Covers: a chain in this process, a deal on it, signed meter readings, a quorum report that triggers the
coupon by itself, an atomic DvP that settles and one that fails whole.

Scenario: 100 units of 10 dollars on a small solar roof; one month; Alice holds 60 units, Bob 40.
"""

from datetime import UTC, datetime

import rwa_sim.api as rwa

SEED, ASSET, HOUR = 7, "ROOF-1", 3600
START, END = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (6, 7))  # [start, end)
SUN_WH = (0, 0, 0, 0, 0, 0, 100, 300, 600, 900, 1100, 1200, 1200, 1100, 900, 600, 300, 100, 0, 0, 0, 0, 0, 0)

# 1. A chain, nothing to start. Accounts are derived from the seed.
chain = rwa.TesterEngine(seed=SEED)
alice, bob, anyone = (chain.account(name) for name in ("alice", "bob", "anyone"))

# 2. A deal: 12 % a year, twelve months, 1 % servicing fee; 200 kWh start a distribution. Four oracle
#    nodes, three of which must sign.
node_keys = [rwa.derive_account(SEED, f"oracle-{number}").key for number in range(1, 5)]
signers = rwa.signer_addresses(node_keys)
notes = rwa.ClassTerms(
    name="A", original_usd6=10**9, rate_wad=12 * 10**16, principal_periods=12
)  # 1e18 = 100 %
order = (
    rwa.Step(kind=rwa.StepKind.FEE, payee="servicer", rate_wad=10**16),
    rwa.Step(kind=rwa.StepKind.INTEREST, classes=(0,)),
    rwa.Step(kind=rwa.StepKind.PRINCIPAL, classes=(0,)),
    rwa.Step(kind=rwa.StepKind.RESIDUAL, payee="sponsor"),
)
maturity_s = int(datetime(2027, 6, 1, tzinfo=UTC).timestamp())
trigger = {"trigger": rwa.Trigger.ENERGY, "threshold": 200_000}  # Wh
waterfall = rwa.WaterfallTerms(
    classes=(notes,), steps=order, period_count=12, maturity_s=maturity_s, **trigger
)
issue = rwa.ClassIssue(symbol="ROOF1", units=100, face_usd6=10_000_000)  # 100 units of 10 dollars
named = {"name": "Roof Note", "asset_id": rwa.asset_id_of(ASSET), "issue_s": START}
terms = rwa.DealTerms(waterfall=waterfall, issues=[issue], signers=signers, **named)
chain.submit([], at_s=START)
deal = rwa.deploy_deal(chain, terms)
for holder, units in ((alice, 60), (bob, 40)):
    deal.bond.send("mint", holder.address, units, b"", sender=deal.admin)
    deal.enrol(holder, cash_usd6=500_000_000)
print(f"issued {deal.bond.call('totalSupply')} units: Alice 60, Bob 40")

# 3. A meter that signs its cumulative register every hour, and four nodes that check every signature.
meter = rwa.DeviceMeter(rwa.derive_account(SEED, "meter").key, meter_id="METER-1")
spec = rwa.MeterSpec(
    meter_id="METER-1",
    asset_name=ASSET,
    public_key=meter.public_key,
    nameplate_w=2_000,
    interval_s=HOUR,
    commissioned_at_s=START,
)
feed = rwa.FeedConfig.create(
    chain_id=chain.chain_id, feed=deal.feed.address, asset_name=ASSET, signers=signers
)
schedule, registry = rwa.PeriodSchedule((START, END)), rwa.AssetRegistry([spec])
network = rwa.OracleNetwork(feed, node_keys, schedule=schedule, registry=registry)
register_wh, readings = 0, []
for instant in range(START, END, HOUR):
    register_wh += SUN_WH[instant // HOUR % 24]
    readings.append(meter.read(instant + HOUR, register_wh))
network.feed(readings)

# 4. The off-taker pays 20 cents a kWh: the bank books it, and the same amount arrives on chain.
paid_usd6 = register_wh * 200
booking = {"account": "COLLECTION", "entry_ref": "JUNE", "statement_seq": 1, "period_id": 1}
network.credit(rwa.CashflowEvent(amount_usd6=paid_usd6, booked_at_s=END, **booking))
deal.cash.send("mint", deal.waterfall.address, paid_usd6, sender=deal.admin, at_s=END)

# 5. The final report is the trigger: feed, waterfall and coupon happen in this one transaction.
signed = network.close_period(1, END + 60)
report, signatures = signed.report.to_abi(), list(signed.signatures)
receipt = deal.feed.send("transmit", report, signatures, sender=anyone, at_s=END + 60)
for event in deal.waterfall.events(receipt, "ClassPaid"):
    print(
        f"{register_wh // 1000} kWh reported, {len(signatures)} signatures: coupon {event['couponId']} declared"
    )
receipt = deal.distributor.send("claimMany", 1, [alice.address, bob.address], sender=anyone)
for event in deal.distributor.events(receipt, "CouponPaid"):
    print(f"coupon 1: {rwa.usd_text(event['amountUsd6'], 6)} USD for {event['units']} units")


# 6. Alice sells Bob ten units. Both sign the same terms; anyone may bring them to the chain.
def settle(trade_id: str, units: int, cash_usd6: int) -> None:
    """One transaction moves both legs, or neither."""
    now, bond, cash, dvp = chain.head().timestamp_s, deal.bond, deal.cash, deal.dvp
    parties, times = (bond.address, cash.address, alice.address, bob.address), (now, now, now + 60)
    instruction = rwa.Instruction(
        trade_id.encode().ljust(32, b"\0"), *parties, units, cash_usd6, units, *times
    )
    both = [rwa.sign_instruction(instruction, chain.chain_id, dvp.address, who) for who in (alice, bob)]
    try:
        dvp.send("settle", instruction, *both, sender=anyone)
        outcome = "settled"
    except rwa.Reverted as refusal:
        outcome = f"failed whole ({refusal.error})"
    units_left, cash_left = bond.call("balanceOf", alice.address), cash.call("balanceOf", bob.address)
    print(f"{trade_id}: {outcome}; Alice has {units_left} units, Bob {rwa.usd_text(cash_left)} USD")


settle("TRADE-1", units=10, cash_usd6=99_000_000)
settle("TRADE-2", units=10, cash_usd6=9_900_000_000)  # more than Bob has: his cash stays, so do the units
