"""Engine rpc on nodes that others mine: what a transaction may meet before it is final.

connect
├── no node at the address                   one line, without the path of the address
├── another chain                            refused
├── a clock that cannot be taken over        refused
├── a node with traces, or without           is asked for one; without, a receipt's own reason is decoded
submit
├── a node that mines at once                deploys, settles, decodes refusals; one block each
├── a node that mines every second           the same; blocks of the node's own second
├── simulated time, marks, an empty block    refused in one line: others mine
├── two senders in a list                    keep their order: the second waits for a block
├── finality of three blocks                 a receipt comes when two more are on top
├── dropped from the pool                    sent again, same bytes
├── reorganised away, unknown again          sent again, same bytes; counted
├── reorganised after it was final           the next transaction brings it back, no nonce is skipped
├── a gap that somebody else left            filled with a transfer of nothing
├── a base fee that rises past the offer     the fee is raised, the same nonce is mined once
├── one that timed out                       is hurried by the next transaction of its account
├── a base fee above the ceiling             one line with both figures when time is up
├── no gas money, too little gas             one line, nonce free
├── a receipt that comes after the nonce     is waited for, nothing is sent again
├── the account used by somebody else        one line, no sooner than a receipt may be late
└── time-out before finality                 one line that says how deep it is
accounts
├── known from an earlier run                not paid twice
└── a chain without fees                     accounts get nothing and pay nothing
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rwa_sim.chain.anvil import find_anvil
from rwa_sim.chain.courier import Courier
from rwa_sim.chain.engine import CHAIN_ID, Account, Transaction
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.parcel import DeliveryTerms
from rwa_sim.chain.rpc import GWEI, NodeTerms, RpcEngine
from rwa_sim.chain.signing import FAUCET_LABEL, derive_account
from rwa_sim.chain.transactions import hash_of
from rwa_sim.errors import InputError, NodeUnreachable, Reverted, TransactionRefused
from tests.contracts.node_kit import OPERATOR, mine, pool_size, running_node
from tests.contracts.test_engines_agree import deploy_cash

pytestmark = [pytest.mark.anvil, pytest.mark.skipif(find_anvil() is None, reason="no anvil binary")]
FAUCET = OPERATOR(FAUCET_LABEL)
NOBODY = derive_account(5, "nobody")


def terms(node: JsonRpc, **changes: object) -> NodeTerms:
    usual = NodeTerms(url=node.url, chain_id=CHAIN_ID, timeout_s=20, raise_fee_after_s=1)
    return replace(usual, **changes)  # type: ignore[arg-type]


def nothing(sender: Account = FAUCET, wei: int = 1) -> Transaction:
    return Transaction(sender=sender, to=NOBODY.address, data=b"", gas=21_000, value_wei=wei)


@pytest.fixture(scope="module")
def automining() -> Iterator[JsonRpc]:
    with running_node() as node:
        yield node


def courier(node: JsonRpc, pause: Callable[[], None] = lambda: None, **changes: object) -> Courier:
    """A courier with a clock that only its pauses move, a second each."""
    clock = [0.0]

    def sleep(_: float) -> None:
        clock[0] += 1
        pause()

    usual = DeliveryTerms(
        chain_id=CHAIN_ID, finality_blocks=1, timeout_s=60, raise_fee_after_s=10, max_fee_wei=100 * GWEI
    )
    return Courier(node, replace(usual, **changes), now=lambda: clock[0], sleep=sleep)  # type: ignore[arg-type]


def in_turn(*acts: Callable[[], object]) -> Callable[[], None]:
    """One act for each pause, then none."""
    waiting = iter(acts)

    def pause() -> None:
        for act in waiting:
            act()
            return

    return pause


# ── connect ────────────────────────────────────────────────────────────────


def test_no_node_at_the_address_is_one_line_without_its_path():
    with pytest.raises(NodeUnreachable) as fault:
        RpcEngine(NodeTerms(url="http://user:pw@127.0.0.1:1/v3/secret?key=secret", chain_id=1), OPERATOR)

    assert str(fault.value) == (
        "engine rpc at http://127.0.0.1:1: expected an answer to eth_chainId, got ConnectionError"
    )


def test_another_chain_is_refused(automining):
    with pytest.raises(
        InputError, match=f"engine rpc: chain_id: expected {CHAIN_ID}, as the node says, got 17"
    ):
        RpcEngine(terms(automining, chain_id=17), OPERATOR)


def test_a_clock_that_cannot_be_taken_over_is_refused(automining, monkeypatch):
    monkeypatch.setattr(JsonRpc, "offers", lambda node, method, params: method != "anvil_nodeInfo")

    with pytest.raises(InputError, match="engine rpc: travel: expected blocks at chosen seconds"):
        RpcEngine(terms(automining, travel=True), OPERATOR)


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        ({"result": None}, True),
        ({"error": {"code": -32000, "message": "transaction not found"}}, True),
        ({"error": {"code": -32601, "message": "the method does not exist/is not available"}}, False),
        ({"error": {"code": -32604, "message": "Method not enabled"}}, False),
    ],
    ids=["Besu, unknown hash", "geth, unknown hash", "geth without debug", "Besu without DEBUG"],
)
def test_whether_a_node_traces_is_asked_without_a_transaction(automining, monkeypatch, answer, offered):
    usual = JsonRpc.request

    def request(node: JsonRpc, method: str, params: list[object]) -> dict[str, object]:
        return answer if method.startswith("debug_") else usual(node, method, params)

    monkeypatch.setattr(JsonRpc, "request", request)

    assert RpcEngine(terms(automining), OPERATOR).capabilities.revert_data is offered


def test_without_traces_a_receipts_own_reason_is_decoded(automining):
    """Besu's `revertReason`; without it a refusal has no data."""
    raw = {
        "status": "0x0",
        "blockNumber": "0x0",
        "transactionHash": "0x1",
        "gasUsed": "0x1",
        "logs": [],
        "revertReason": "0x4e487b71",
    }

    assert automining.receipt_of(raw, traced=False).revert_data.hex() == "4e487b71"
    del raw["revertReason"]
    assert automining.receipt_of(raw, traced=False).revert_data == b""


# ── a node that mines by itself ────────────────────────────────────────────


def story(engine: RpcEngine) -> None:
    """Deploy, send, be refused, read."""
    cash, admin = deploy_cash(engine), engine.account("admin")
    receipt = cash.send("mint", admin.address, 5, sender=admin)
    with pytest.raises(Reverted) as refusal:
        cash.send("mint", admin.address, 5, sender=engine.account("stranger"))

    assert refusal.value.error == "NotMinter"
    assert refusal.value.fields == {"account": engine.account("stranger").address}
    assert cash.call("balanceOf", admin.address) == 5
    assert receipt.gas_used > 21_000
    assert not receipt.gas_is_estimate
    block = receipt.block_number
    assert [
        (number, cash._interface.decode_log(log).name)
        for number, log in engine.logs([cash.address], block, block)
    ]
    assert abs(receipt.timestamp_s - time.time()) < 60, "the node's own second"


def test_a_node_that_mines_at_once(automining):
    with RpcEngine(terms(automining), OPERATOR) as engine:
        story(engine)


def test_a_node_that_mines_every_second():
    with running_node("--block-time", "1") as node, RpcEngine(terms(node), OPERATOR) as engine:
        story(engine)


def test_what_only_a_node_of_ones_own_can_do_is_refused_in_one_line(automining):
    engine = RpcEngine(terms(automining), OPERATOR)

    for wish in (
        lambda: engine.submit([nothing()], 5_000_000_000),
        lambda: engine.submit([]),
        engine.snapshot,
    ):
        with pytest.raises(
            InputError, match=r"^engine rpc: (travel|snapshot): expected [^\n]*, got an engine without$"
        ):
            wish()


def test_senders_keep_their_order(automining):
    engine = RpcEngine(terms(automining), OPERATOR)
    cash, admin, other = deploy_cash(engine), engine.account("admin"), engine.account("other")

    receipts = engine.submit(
        [
            cash.transaction("mint", other.address, 1, sender=admin),
            cash.transaction("transfer", admin.address, 1, sender=other),
            cash.transaction("burn", 1, sender=admin),
        ]
    )

    assert [receipt.ok for receipt in receipts] == [True, True, True]


def test_another_senders_transaction_waits_until_those_before_it_are_in_blocks():
    with running_node("--no-mining") as node:
        waiting = []

        def next_block() -> None:
            waiting.append(pool_size(node))
            mine(node)

        first, second, third = (nothing(wei=wei) for wei in (10**18, 1, 2))
        fed = replace(first, to=NOBODY.address), replace(second, sender=NOBODY, to=FAUCET.address), third
        receipts = courier(node, next_block).deliver(fed)

        assert waiting == [1, 1, 1]
        assert [receipt.block_number for receipt in receipts] == [1, 2, 3]


# ── what a transaction may meet ────────────────────────────────────────────


def test_a_receipt_comes_when_the_block_is_deep_enough():
    with running_node("--no-mining") as node:
        heights = []

        def pause() -> None:
            mine(node)
            heights.append(node.head().number)

        receipt = courier(node, pause, finality_blocks=3).deliver([nothing()])[0]

        assert (receipt.block_number, heights[-1]) == (1, 3)


def test_what_the_pool_dropped_is_sent_again_as_the_same_bytes():
    with running_node("--no-mining") as node:
        tx_hash = []

        def drop() -> None:
            tx_hash.append(node.rpc("eth_getBlockByNumber", ["pending", False])["transactions"][0])
            node.rpc("anvil_dropTransaction", tx_hash)
            assert pool_size(node) == 0

        sender = courier(node, in_turn(drop, lambda: None, lambda: mine(node)))
        receipt = sender.deliver([nothing()])[0]

        assert receipt.tx_hash == tx_hash[0]
        assert sender.resent_count == 1
        assert node.nonce(FAUCET.address) == 1


def test_what_a_reorganisation_took_away_is_sent_again():
    with running_node("--no-mining") as node:
        mine(node, 3)

        def reorganise() -> None:
            node.rpc("anvil_reorg", [1, []])

        sender = courier(
            node,
            in_turn(lambda: mine(node), reorganise, lambda: mine(node), lambda: mine(node)),
            finality_blocks=2,
        )
        receipt = sender.deliver([nothing()])[0]

        assert sender.reorganised_count == 1
        assert node.nonce(FAUCET.address) == 1
        assert node.raw_receipt(receipt.tx_hash)["blockNumber"] == hex(receipt.block_number)


def test_what_was_final_and_is_undone_comes_back_with_the_next_transaction():
    with running_node() as node:
        sender = courier(node)
        first = sender.deliver([nothing(wei=1)])[0]
        node.rpc("anvil_rollback", [1])
        assert node.raw_receipt(first.tx_hash) is None

        second = sender.deliver([nothing(wei=2)])[0]

        assert node.raw_receipt(first.tx_hash) is not None
        assert second.ok
        assert node.balance_wei(NOBODY.address) == 3
        assert node.nonce(FAUCET.address) == 2


def test_a_gap_that_somebody_left_is_filled_with_a_transfer_of_nothing():
    with running_node() as node:
        sender = courier(node)
        sender._next[FAUCET.address] = (
            2  # as if two were pending when this process began, and were then dropped
        )

        receipt = sender.deliver([nothing()])[0]

        assert receipt.ok
        assert node.nonce(FAUCET.address) == 3
        assert node.balance_wei(NOBODY.address) == 1


def test_a_fee_is_raised_when_the_base_fee_rises_past_it():
    with running_node("--no-mining") as node:
        rise = hex(20 * GWEI)

        def next_block() -> None:
            node.rpc("anvil_setNextBlockBaseFeePerGas", [rise])
            mine(node)

        sender = courier(node, next_block, raise_fee_after_s=3)
        receipt = sender.deliver([nothing()])[0]

        assert receipt.ok
        assert sender.raised_count >= 1
        assert node.nonce(FAUCET.address) == 1
        assert node.balance_wei(NOBODY.address) == 1, "all versions are one payment"


def test_one_that_timed_out_is_hurried_by_the_next_of_its_account():
    with running_node("--no-mining") as node:

        def next_block() -> None:
            node.rpc("anvil_setNextBlockBaseFeePerGas", [hex(20 * GWEI)])
            mine(node)

        sender = courier(node, next_block, raise_fee_after_s=30, timeout_s=5)
        with pytest.raises(TransactionRefused, match="got no block at nonce 0"):
            sender.deliver([nothing(wei=1)])
        sender._terms = replace(sender._terms, raise_fee_after_s=2, timeout_s=60)

        sender.deliver([nothing(wei=2)])

        assert node.nonce(FAUCET.address) == 2
        assert node.balance_wei(NOBODY.address) == 3


def test_a_base_fee_above_the_ceiling_is_one_line_when_time_is_up():
    with running_node("--no-mining") as node:

        def next_block() -> None:
            node.rpc("anvil_setNextBlockBaseFeePerGas", [hex(20 * GWEI)])
            mine(node)

        with pytest.raises(TransactionRefused) as refusal:
            courier(node, next_block, raise_fee_after_s=3, timeout_s=9, max_fee_wei=4 * GWEI).deliver(
                [nothing()]
            )

        assert str(refusal.value) == (
            f"engine rpc: faucet ({FAUCET.address}): expected to be final within 9 s, got no block at nonce 0; "
            f"it offers {4 * GWEI} wei a gas, the last block's base fee is {20 * GWEI}"
        )


def test_without_gas_money_the_line_says_how_much_and_the_nonce_is_free(automining):
    sender, poor = courier(automining), derive_account(99, "poor")

    with pytest.raises(
        TransactionRefused, match=rf"poor \({poor.address}\): expected \d+ wei for gas and value, got 0$"
    ):
        sender.deliver([nothing(poor)])
    automining.rpc("anvil_setBalance", [poor.address, hex(10**18)])

    assert sender.deliver([nothing(poor)])[0].ok


def test_too_little_gas_is_the_nodes_word(automining):
    with pytest.raises(TransactionRefused, match=r"faucet .*: the node refused it: .*gas"):
        courier(automining).deliver([replace(nothing(), gas=20_000)])


def test_a_receipt_that_comes_after_the_nonce_is_waited_for(monkeypatch):
    with running_node() as node:
        shown = node.raw_receipt
        monkeypatch.setattr(node, "raw_receipt", lambda _: None)
        sender = courier(node, in_turn(*[lambda: None] * 3, lambda: monkeypatch.undo()), receipt_lag_s=5)

        receipt = sender.deliver([nothing()])[0]

        assert receipt.ok and shown(receipt.tx_hash) is not None
        assert (sender.resent_count, node.nonce(FAUCET.address)) == (0, 1)


def test_an_account_that_somebody_else_uses_is_one_line():
    with running_node("--no-mining") as node:
        stranger = courier(node)

        def overtake() -> None:
            node.rpc("anvil_dropAllTransactions", [])
            raw = stranger._sign(nothing(wei=7), 0, stranger._market_fee())
            node.rpc("eth_sendRawTransaction", ["0x" + raw.hex()])
            mine(node)
            assert node.raw_receipt(hash_of(raw)) is not None

        sender = courier(node, in_turn(overtake), receipt_lag_s=5)
        with pytest.raises(
            TransactionRefused, match=r"expected nonce 0 to be free, got it used: somebody else"
        ):
            sender.deliver([nothing()])

        assert sender._now() == 1 + 5, "after the lag a receipt is allowed"


def test_a_time_out_before_finality_says_how_deep_it_is():
    with running_node() as node, pytest.raises(TransactionRefused, match=r"within 5 s, got 1 of 4 blocks$"):
        courier(node, finality_blocks=4, timeout_s=5).deliver([nothing()])


# ── accounts ───────────────────────────────────────────────────────────────


def test_an_account_known_from_an_earlier_run_is_not_paid_twice(automining):
    first = RpcEngine(terms(automining), OPERATOR).account("returning")
    paid_wei = automining.balance_wei(first.address)

    RpcEngine(terms(automining), OPERATOR).account("returning")

    assert automining.balance_wei(first.address) == paid_wei == NodeTerms(url="", chain_id=1).grant_wei


def test_on_a_chain_without_fees_accounts_get_nothing_and_pay_nothing():
    with running_node("--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee") as node:
        engine = RpcEngine(terms(node, free_gas=True), OPERATOR)
        admin = engine.account("admin")

        deploy_cash(engine)

        assert not engine.capabilities.accounts_are_funded
        assert node.balance_wei(admin.address) == 0
        assert node.balance_wei(FAUCET.address) == 10**27


def test_free_gas_on_a_chain_with_fees_is_refused(automining):
    with pytest.raises(InputError, match="free_gas: expected a chain without fees, got a base fee of"):
        RpcEngine(terms(automining, free_gas=True), OPERATOR).submit([nothing()])
