"""Engine `rpc`: any JSON-RPC node: Besu, geth, a test net. Others mine there, in real time.

TIME      The node's own. `travel` takes over a node that obeys (Anvil): it then mines only when told to, at
          the second it is told, as engine `anvil` does.
BLOCKS    One `submit` may take several blocks; the order of the transactions is kept.
FINALITY  A receipt is given once its block is `finality_blocks` deep; see `courier` for what is done until then.
KEYS      Transactions are signed here. Accounts come from the keyring: its faucet pays for the others' gas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rwa_sim.chain.capabilities import Capabilities, Capability, lacking
from rwa_sim.chain.courier import Courier
from rwa_sim.chain.engine import Account, Head, Receipt, Transaction
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.node_engine import NodeEngine
from rwa_sim.chain.parcel import DeliveryTerms
from rwa_sim.chain.signing import Keyring
from rwa_sim.errors import InputError

GWEI = 10**9
NO_TRANSACTION = "0x" + "00" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTerms:
    """A node and how it is used.

    Attributes:
        url: where it answers; may hold a secret, so that no message shows its path.
        chain_id: the chain it must be on.
        finality_blocks: blocks until a transaction counts, its own included; 1 where a block is final (QBFT).
        timeout_s: seconds until everything sent together must be final.
        raise_fee_after_s: seconds without a block after which a fee is raised.
        max_fee_wei: most that is offered for a unit of gas.
        free_gas: the chain takes no fee, and accounts need no gas money.
        grant_wei: gas money for a new account.
        travel: take over the node's clock; only a node with Anvil's methods lets itself.
        answer_s: seconds until an answer of the node is given up.
    """

    url: str
    chain_id: int
    finality_blocks: int = 1
    timeout_s: int = 120
    raise_fee_after_s: int = 30
    max_fee_wei: int = 100 * GWEI
    free_gas: bool = False
    grant_wei: int = 10**18
    travel: bool = False
    answer_s: int = 30


class RpcEngine(NodeEngine):
    """A node of anybody's behind the engine protocol.

    Raises:
        InputError: another chain, or a clock that cannot be taken over.
        NodeUnreachable: it does not answer.
    """

    name = "rpc"

    def __init__(self, terms: NodeTerms, keyring: Keyring) -> None:
        super().__init__(keyring)
        self._node = JsonRpc(terms.url, who="engine rpc", timeout_s=terms.answer_s)
        self.chain_id, self.grant_wei = terms.chain_id, terms.grant_wei
        self._require_chain(terms)
        traced = self._node.offers("debug_traceTransaction", [NO_TRANSACTION, {"tracer": "callTracer"}])
        self.capabilities = Capabilities(
            exact_gas=True,
            travel=terms.travel,
            snapshot=terms.travel,
            revert_data=traced,
            logs_by_range=True,
            persistent_state=True,
            accounts_are_funded=not terms.free_gas,
            finality_blocks=1 if terms.travel else terms.finality_blocks,
        )
        self.courier = Courier(
            self._node,
            DeliveryTerms(
                chain_id=terms.chain_id,
                finality_blocks=terms.finality_blocks,
                timeout_s=terms.timeout_s,
                raise_fee_after_s=terms.raise_fee_after_s,
                max_fee_wei=terms.max_fee_wei,
                free_gas=terms.free_gas,
                traced=traced,
            ),
        )
        if terms.travel:
            self._take_over()

    @property
    def node(self) -> JsonRpc:
        """The node as others see it."""
        return self._node

    def head(self) -> Head:
        """The last block, of the node's or, taken over, of this engine's making."""
        return super().head() if self.capabilities.travel else self._node.head()

    def submit(self, transactions: Sequence[Transaction], at_s: int | None = None) -> list[Receipt]:
        """Send the transactions in order and wait until all are final.

        Raises:
            InputError: a second, or an empty block, is wished of a node that others mine on.
            TransactionRefused: the node does not take one, or it is not final in time.
            NodeUnreachable: the node does not answer.
        """
        if self.capabilities.travel:
            return super().submit(transactions, at_s)
        if at_s is not None or not transactions:
            raise lacking(self.name, Capability.TRAVEL, by="a block at a chosen second")
        return self.courier.deliver(transactions)

    def snapshot(self) -> str:
        """Mark the last block; only of a node taken over."""
        if not self.capabilities.snapshot:
            raise lacking(self.name, Capability.SNAPSHOT, by="going back")
        return super().snapshot()

    def close(self) -> None:
        """Nothing to release: the node is others'."""

    def _lacks_gas_money(self, account: Account) -> bool:
        """A chain that persists may know the account from an earlier run."""
        funded = self.capabilities.accounts_are_funded
        return funded and 2 * self._node.balance_wei(account.address) < self.grant_wei

    def _require_chain(self, terms: NodeTerms) -> None:
        actual = self._node.chain_id()
        if actual != terms.chain_id:
            raise InputError(
                where="engine rpc",
                key="chain_id",
                expected=f"{actual}, as the node says",
                got=str(terms.chain_id),
            )

    def _take_over(self) -> None:
        if not self._node.offers("anvil_nodeInfo", []):
            raise lacking(self.name, Capability.TRAVEL, by="the setting travel")
        self._node.rpc("evm_setAutomine", [False])
        self._node.rpc("evm_setIntervalMining", [0])
        self._head = self._node.head()
