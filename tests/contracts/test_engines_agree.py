"""The same story on every local engine: equal receipts, gas, events, refusals and balances.

engine
├── one scripted market day              each step's receipt and every view are the same; gas on revm is lower
├── snapshot, revert                     undo blocks, balances, time and accounts made since
├── time                                 a block is stamped as asked, and never goes back
├── two transactions in one block        share number and timestamp, in order
├── a transaction that cannot begin      is refused with its whole block; nothing of it is in a later one
├── a call that is refused               gives the same error
└── Anvil as a process                   listens on loopback only, answers no foreign page, ends with the engine,
                                         and its absence or death is one clear line
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from rwa_sim.chain.anvil import AnvilEngine, find_anvil
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import UNLIMITED
from rwa_sim.chain.engine import Engine, Receipt, Transaction
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.chain.revm import RevmEngine
from rwa_sim.chain.tester import TesterEngine
from rwa_sim.errors import EnvironmentFault, NodeUnreachable, Reverted, TransactionRefused
from tests.contracts.kit import (
    ASSET,
    DAY_S,
    DOLLAR,
    MONTHS_S,
    UNITS,
    Market,
    agree,
    attest,
    books,
    deploy_market,
    observe,
    sign,
    wait_until,
)

ENGINES: dict[str, Callable[[], Engine]] = {
    "tester": lambda: TesterEngine(seed=1),
    "anvil": lambda: AnvilEngine(seed=1),
    "revm": lambda: RevmEngine(seed=1),
}
needs_anvil = [pytest.mark.anvil, pytest.mark.skipif(find_anvil() is None, reason="no anvil binary")]
every_engine = pytest.mark.parametrize(
    "engine", ["tester", "revm", pytest.param("anvil", marks=needs_anvil)], indirect=True
)


@pytest.fixture
def engine(request):
    with ENGINES[request.param]() as chain:
        yield chain


# ── one market day ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of the script: what is sent, by whom, in one block with the others of its list."""

    contract: str
    function: str
    args: tuple[Any, ...]
    sender: str


def market_day(market: Market) -> list[tuple[int | None, list[Step]]]:
    """Blocks of a day: wished timestamp, and the transactions in order. Some are refused."""
    seller, buyer, third = (who.address for who in (market.seller, market.buyer, market.third))
    waterfall, dvp = market.waterfall.address, market.dvp.address
    good = agree(market, deadline=market.now_s + 10 * DAY_S)
    dear = replace(good, trade_id=bytes(32), cash_usd6=9_000 * DOLLAR)
    good_signed, dear_signed = (
        [sign(market, terms, who) for who in (market.seller, market.buyer)] for terms in (good, dear)
    )
    january = observe(market, 1, 90_000_000, 9_500 * DOLLAR)
    told = (january.to_abi(), attest(market, january))
    record_s = january.observed_at + 10
    return [
        (None, [Step("bond", "mint", (seller, UNITS, b""), "admin")]),
        (None, [Step("cash", "mint", (buyer, 5_000 * DOLLAR), "admin")]),
        (None, [Step("cash", "mint", (third, 1), "third")]),
        (
            market.now_s + DAY_S,
            [
                Step("bond", "transfer", (third, 300), "seller"),
                Step("bond", "transfer", (buyer, 100), "third"),
                Step("bond", "transfer", (buyer, 10_000), "third"),
                Step("bond", "approve", (dvp, UNLIMITED), "seller"),
                Step("cash", "approve", (dvp, UNLIMITED), "buyer"),
            ],
        ),
        (None, [Step("dvp", "settle", (dear, *dear_signed), "stranger")]),
        (None, [Step("dvp", "settle", (good, *reversed(good_signed)), "stranger")]),
        (
            None,
            [Step("dvp", "settle", (good, *good_signed), who) for who in ("stranger", "third")],
        ),
        (
            None,
            [Step("dvp", "cancel", (dear,), "buyer"), Step("dvp", "settle", (dear, *dear_signed), "third")],
        ),
        (None, [Step("cash", "mint", (waterfall, 9_500 * DOLLAR), "admin")]),
        (None, [Step("cash", "setBlocked", (third, True), "admin")]),
        (january.observed_at - 10, [Step("feed", "transmit", told, "stranger")]),
        (
            january.observed_at,
            [
                Step("feed", "transmit", told, "stranger"),
                Step("feed", "transmit", told, "third"),
                Step("distributor", "claimMany", (1, [seller]), "stranger"),
            ],
        ),
        (record_s, [Step("distributor", "claimMany", (1, [seller, third, buyer, seller]), "stranger")]),
        (None, [Step("distributor", "releaseParked", (1, third), "stranger")]),
        (
            None,
            [
                Step("cash", "setBlocked", (third, False), "admin"),
                Step("distributor", "releaseParked", (1, third), "stranger"),
            ],
        ),
        (
            None,
            [Step("feed", "deliver", (ASSET, 1), "stranger"), Step("waterfall", "distribute", (), "third")],
        ),
    ]


REFUSALS = [
    "NotMinter",  # a stranger mints
    "ERC20InsufficientBalance",  # more units than held
    "ERC20InsufficientBalance",  # a trade the buyer cannot pay
    "NotSigned",  # signatures the wrong way round
    "WrongStatus",  # the same trade again in its block
    "WrongStatus",  # a cancelled trade
    "ReportFromFuture",  # sent before it was observed
    "StaleReport",  # the same report again in its block
    "BeforeRecordTime",  # a coupon paid in its record second
    "StillCannotReceive",  # a parked payee still blocked
    "NothingHeld",
]


def live(engine: Engine) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the day; what each transaction left, and what the contracts say in the evening."""
    market = deploy_market(engine)
    left = []
    for at_s, steps in market_day(market):
        transactions = [
            getattr(market, step.contract).transaction(
                step.function, *step.args, sender=engine.account(step.sender)
            )
            for step in steps
        ]
        left += [shown(receipt) for receipt in engine.submit(transactions, at_s)]
    return left, evening(market)


def shown(receipt: Receipt) -> dict[str, Any]:
    return {
        "ok": receipt.ok,
        "hash": receipt.tx_hash,
        "block": receipt.block_number,
        "timestamp_s": receipt.timestamp_s,
        "gas_used": receipt.gas_used,
        "logs": receipt.logs,
        "revert_data": receipt.revert_data,
        "created": receipt.contract_address,
    }


def evening(market: Market) -> dict[str, Any]:
    third = market.third.address
    return {
        "head": market.chain.head(),
        "books": books(market),
        "coupon": market.distributor.call("coupon", 1),
        "owed": market.distributor.call("owedUsd6", 1, third),
        "carry": market.distributor.call("carryUsd6"),
        "state": market.waterfall.call("state"),
        "report": market.feed.call("finalReport", ASSET, 1),
        "clock": market.bond.call("clock"),
        "history": [market.bond.call("unitsAt", 1, holder) for holder in (third, market.seller.address)],
        "domain": market.feed.call("eip712Domain"),
    }


@pytest.mark.anvil
def test_a_market_day_is_the_same_on_both_engines(anvil):
    with TesterEngine(seed=1) as tester:
        on_tester, tester_evening = live(tester)
    on_anvil, anvil_evening = live(anvil)

    for number, (here, there) in enumerate(zip(on_tester, on_anvil, strict=True)):
        assert here == there, f"transaction {number}"
    assert tester_evening == anvil_evening
    refusals = [decode_revert(step["revert_data"]).error for step in on_tester if not step["ok"]]
    assert refusals == REFUSALS


def test_a_market_day_on_revm_differs_in_gas_alone_and_never_exceeds_it():
    with TesterEngine(seed=1) as tester, RevmEngine(seed=1) as revm:
        exact, exact_evening = live(tester)
        estimated, estimated_evening = live(revm)

    for number, (here, there) in enumerate(zip(exact, estimated, strict=True)):
        assert here | {"gas_used": 0} == there | {"gas_used": 0}, f"transaction {number}"
        assert there["gas_used"] <= here["gas_used"], f"transaction {number}"
    assert exact_evening == estimated_evening


# ── what every engine promises ─────────────────────────────────────────────


def deploy_cash(engine: Engine) -> Contract:
    admin = engine.account("admin")
    cash = deploy(engine, "Stablecoin", "Dollar", "USD", b"USD", admin.address, sender=admin)
    cash.send("configureMinter", admin.address, UNLIMITED, sender=admin)
    return cash


@every_engine
def test_reverting_to_a_snapshot_undoes_blocks_balances_and_time(engine):
    cash, admin = deploy_cash(engine), engine.account("admin")
    cash.send("mint", admin.address, 5, sender=admin)
    mark, head = engine.snapshot(), engine.head()

    cash.send("mint", admin.address, 7, sender=admin, at_s=head.timestamp_s + DAY_S)
    assert cash.call("balanceOf", admin.address) == 12
    engine.revert(mark)

    assert engine.head() == head
    assert cash.call("balanceOf", admin.address) == 5
    receipt = cash.send("mint", admin.address, 1, sender=admin)
    assert (receipt.block_number, receipt.timestamp_s) == (head.number + 1, head.timestamp_s + 1)


@every_engine
def test_an_account_made_after_a_snapshot_can_pay_for_gas_again_after_the_revert(engine):
    cash = deploy_cash(engine)
    mark = engine.snapshot()
    cash.send("approve", cash.address, 1, sender=engine.account("late"))
    engine.revert(mark)

    receipt = cash.send("approve", cash.address, 1, sender=engine.account("late"))

    assert receipt.ok


@every_engine
def test_a_block_is_stamped_as_asked_and_time_never_goes_back(engine):
    head = engine.head()

    wait_until(engine, MONTHS_S[0])
    assert engine.head().timestamp_s == MONTHS_S[0]
    wait_until(engine, MONTHS_S[0] - DAY_S)
    assert engine.head().timestamp_s == MONTHS_S[0] + 1, "asked for the past: one second later"
    engine.submit([])
    assert engine.head().timestamp_s == MONTHS_S[0] + 2
    assert engine.head().number == head.number + 3


@every_engine
def test_transactions_of_one_block_share_its_second_and_keep_their_order(engine):
    cash, admin = deploy_cash(engine), engine.account("admin")
    other = engine.account("other")
    give = cash.transaction("transfer", other.address, 5, sender=admin)

    receipts = engine.submit(
        [give, cash.transaction("mint", admin.address, 5, sender=admin), give], MONTHS_S[0]
    )

    assert [r.ok for r in receipts] == [False, True, True]
    assert {r.timestamp_s for r in receipts} == {MONTHS_S[0]}
    assert len({r.block_number for r in receipts}) == 1
    assert cash.call("balanceOf", other.address) == 5


@every_engine
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_block_with_one_that_cannot_begin_did_not_happen(engine, place):
    cash, admin = deploy_cash(engine), engine.account("admin")
    mint = cash.transaction("mint", admin.address, 1, sender=admin)
    block, head = [mint, mint], engine.head()
    block.insert(place, Transaction(sender=admin, to=admin.address, data=b"", gas=20_000))

    with pytest.raises(TransactionRefused, match=f"engine {engine.name}: admin: "):
        engine.submit(block, head.timestamp_s + DAY_S)

    assert engine.head() == head
    assert cash.call("totalSupply") == 0
    receipt = engine.submit([mint])[0]
    assert (receipt.block_number, receipt.timestamp_s) == (head.number + 1, head.timestamp_s + 1)
    assert cash.call("totalSupply") == 1


@every_engine
def test_many_transactions_are_one_block_in_order(engine):
    count = 40 if engine.name == "tester" else 1_000  # tester takes long for each
    cash, admin = deploy_cash(engine), engine.account("admin")

    receipts = engine.submit(
        [cash.transaction("mint", admin.address, number, sender=admin) for number in range(1, count + 1)]
    )

    assert {receipt.block_number for receipt in receipts} == {engine.head().number}
    assert [event["value"] for event in cash.events(receipts, "Transfer")] == list(range(1, count + 1))


@every_engine
def test_a_call_keeps_nothing_and_names_its_refusal(engine):
    cash, admin = deploy_cash(engine), engine.account("admin")
    head = engine.head()

    cash.call("mint", admin.address, 5, sender=admin.address)
    with pytest.raises(Reverted) as refusal:
        cash.call("mint", admin.address, 5)

    assert refusal.value.error == "NotMinter"
    assert cash.call("totalSupply") == 0
    assert engine.head() == head


@every_engine
def test_a_transaction_out_of_gas_is_a_refusal_without_data(engine):
    cash, admin = deploy_cash(engine), engine.account("admin")

    receipt = engine.submit([cash.transaction("mint", admin.address, 5, sender=admin, gas=40_000)])[0]

    assert (receipt.ok, receipt.gas_used, receipt.revert_data) == (False, 40_000, b"")
    assert cash.call("totalSupply") == 0


@every_engine
def test_a_plain_transfer_of_native_money_costs_21000(engine):
    sender, to = engine.account("a"), engine.account("b")

    receipt = engine.submit([Transaction(sender=sender, to=to.address, data=b"", gas=21_000, value_wei=1)])[0]

    assert (receipt.ok, receipt.gas_used, receipt.logs) == (True, 21_000, ())


@every_engine
def test_an_account_never_shows_its_key(engine):
    account = engine.account("admin")

    assert account.key.hex() not in repr(account)
    assert account.address in repr(account)


# ── Anvil as a process ─────────────────────────────────────────────────────


def listeners_of(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports a process listens on, from the kernel's tables."""
    sockets = {
        target.removeprefix("socket:[").removesuffix("]")
        for entry in Path(f"/proc/{pid}/fd").iterdir()
        if (target := str(entry.readlink())).startswith("socket:[")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text("utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.anvil
def test_anvil_listens_on_loopback_only(anvil):
    if not Path("/proc/net/tcp").exists():
        pytest.skip("no /proc: the kernel's socket tables cannot be read")
    port = int(anvil.url.rsplit(":", 1)[1])

    assert listeners_of(anvil._process.pid) == {("0100007F", port)}


@pytest.mark.anvil
def test_anvil_tells_a_foreign_page_nothing(anvil):
    """A page of another origin may send, but its browser is never allowed to read the answer."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    foreign = {"Origin": "https://elsewhere.example"}

    answer = requests.post(anvil.url, json=call, headers=foreign, timeout=10)
    preflight = requests.options(
        anvil.url, headers=foreign | {"Access-Control-Request-Method": "POST"}, timeout=10
    )

    for response in (answer, preflight):
        assert not [name for name in response.headers if name.lower().startswith("access-control-allow")]


@pytest.mark.anvil
def test_anvil_ends_with_its_engine(anvil):
    pid = anvil._process.pid
    assert is_running(pid)

    anvil.close()
    anvil.close()

    assert not is_running(pid)


@pytest.mark.anvil
def test_anvil_ends_when_the_block_it_served_fails(anvil):
    with pytest.raises(RuntimeError, match="a fault of ours"), AnvilEngine(seed=2) as engine:
        pid = engine._process.pid
        raise RuntimeError("a fault of ours")

    assert not is_running(pid)


@pytest.mark.anvil
def test_a_dead_node_is_one_clear_line(anvil):
    cash = deploy_cash(anvil)
    os.kill(anvil._process.pid, signal.SIGKILL)
    anvil._process.wait(timeout=10)

    for step in (
        lambda: cash.call("totalSupply"),
        lambda: cash.send("burn", 0, sender=anvil.account("admin")),
        anvil.snapshot,
    ):
        with pytest.raises(NodeUnreachable) as fault:
            step()
        assert "\n" not in str(fault.value)
        assert anvil.url in str(fault.value)


@pytest.mark.parametrize("named", ["", "/nowhere/anvil"])
def test_a_missing_binary_says_where_it_was_expected(monkeypatch, tmp_path, named):
    monkeypatch.setattr("rwa_sim.chain.anvil.PACKAGED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RWA_SIM_ANVIL", named)

    with pytest.raises(EnvironmentFault, match="expected the anvil binary on PATH, in RWA_SIM_ANVIL"):
        AnvilEngine()


def test_a_binary_that_cannot_run_is_an_environment_fault(monkeypatch, tmp_path):
    broken = tmp_path / "anvil"
    broken.write_text("not a program", "utf-8")
    monkeypatch.setenv("RWA_SIM_ANVIL", str(broken))

    with pytest.raises(EnvironmentFault, match=r"expected .* to start, got Permission denied"):
        AnvilEngine()


def test_a_binary_that_ends_at_once_is_unreachable(monkeypatch, tmp_path):
    broken = tmp_path / "anvil"
    broken.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("RWA_SIM_ANVIL", str(broken))
    start = time.monotonic()

    with pytest.raises(NodeUnreachable, match="expected it to listen"):
        AnvilEngine()

    assert time.monotonic() - start < 10, "it does not wait for the whole time-out"
