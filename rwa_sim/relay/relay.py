"""The relay: looks, does the one thing that is most urgent, and looks again.

    aggregator ──reports──┐
    bank folder ──────────┼──► next_step ──► Outbox ──► chain
    chain ────view────────┘

Two accounts, two outboxes: the relay's own, which anyone's could be, and the on-ramp's, which mints what
the bank has booked. A step that is still due after it was taken, because a contract refused it or did
nothing, is not taken again at once: it waits longer each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from oracles.schema import SignedReport
from rwa_sim.chain.contract import interface
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.errors import NodeUnreachable
from rwa_sim.relay.outbox import Outbox, Sent
from rwa_sim.relay.plan import Act, ChainView, Step, next_step
from rwa_sim.relay.reader import ChainReader

GAS = 8_000_000
MINT_GAS = 500_000
MOST_WAITS = 64


class RawNode(JsonRpc):
    """A chain node that takes signed transactions."""

    def send_raw(self, raw: bytes) -> None:
        """Offer a signed transaction.

        Raises:
            NodeUnreachable: no answer, or a refusal other than that it is known.
        """
        error = self.request("eth_sendRawTransaction", ["0x" + raw.hex()]).get("error")
        said = str((error or {}).get("message", "")).lower()
        known = "already" in said or "nonce too low" in said
        if error and not known:
            raise NodeUnreachable(f"{self._who}: eth_sendRawTransaction refused: {said}")


@dataclass(slots=True)
class RelayState:
    """What the relay last saw and did; for whoever looks at it."""

    view: ChainView | None = None
    confirmed: int = 0
    done: list[Sent] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    revisions_asked: int = 0


class Relay:
    """One relay of one deal.

    Args:
        node: the chain.
        reader: what it says.
        outbox: the relay's account.
        on_ramp: the account that may mint.
        reports: fetches the last signed revision of each period above one.
        revise: asks the aggregator for the next revision of a period.
        booked_usd6: what the bank has booked since the beginning.
        confirmations: blocks above a report before it counts as final here.
    """

    def __init__(
        self,
        *,
        node: RawNode,
        reader: ChainReader,
        outbox: Outbox,
        on_ramp: Outbox,
        reports: Callable[[int], dict[int, SignedReport]],
        revise: Callable[[int], None],
        booked_usd6: Callable[[], int],
        confirmations: int,
    ) -> None:
        self._node, self._reader, self._outbox, self._on_ramp = node, reader, outbox, on_ramp
        self._reports, self._revise, self._booked_usd6 = reports, revise, booked_usd6
        self._confirmations = confirmations
        self._tries: Counter[str] = Counter()
        self._waits: Counter[str] = Counter()
        self._looked_at: set[str] = set()
        self._resent = 0
        self.state = RelayState()

    def step(self) -> Step | None:
        """Do the most urgent thing that is due, if the chain has taken what was sent before.

        Raises:
            NodeUnreachable: the chain does not answer; the step is taken again later.
        """
        settled = [outbox.settle() for outbox in (self._outbox, self._on_ramp)]
        resent = self._outbox.resent_count + self._on_ramp.resent_count
        if resent != self._resent:
            self._resent = resent
            self._reader.forget()
        view = self._reader.view()
        self.state.view = view
        self.state.confirmed = self._reader.confirmed(self._confirmations)
        if not all(settled):
            return None
        self._note_refusals()
        step = next_step(view, self._reports(view.last_final), self._booked_usd6())
        if step is None or self._is_waiting(step):
            return None
        self._tries[step.purpose] += 1
        self._waits[step.purpose] = min(MOST_WAITS, 2 ** self._tries[step.purpose])
        if step.act is Act.REVISE:
            self._revise(step.period_id)
            self.state.revisions_asked += 1
        else:
            self.state.done.append(self._send(step))
        return step

    def _send(self, step: Step) -> Sent:
        contracts, feed = self._reader.contracts, self._reader.contracts.feed
        outbox, gas = self._outbox, GAS
        if step.act is Act.MINT:
            outbox, gas = self._on_ramp, MINT_GAS
            to, data = contracts.cash, _call("Stablecoin", "mint", contracts.waterfall, step.amount_usd6)
        elif step.act is Act.TRANSMIT and step.report is not None:
            signed = step.report
            to = feed
            data = _call("CashflowFeed", "transmit", signed.report.to_abi(), list(signed.signatures))
        elif step.act is Act.CLAIM and step.coupon is not None:
            to = contracts.distributors[step.coupon.class_index]
            data = _call("CouponDistributor", "claimMany", step.coupon.coupon_id, list(self._reader.holders))
        elif step.act is Act.DISTRIBUTE:
            to, data = contracts.waterfall, _call("Waterfall", "distribute")
        else:
            function = "finalise" if step.act is Act.FINALISE else "deliver"
            to, data = feed, _call("CashflowFeed", function, self._reader.asset_id, step.period_id)
        return outbox.send(step.purpose, to, data, gas=gas)

    def _note_refusals(self) -> None:
        """The last transaction of each outbox is in a block by now: count it if it was refused."""
        for outbox in (self._outbox, self._on_ramp):
            last = outbox.last
            if last is None or last.tx_hash in self._looked_at:
                continue
            self._looked_at.add(last.tx_hash)
            receipt = self._node.receipt(last.tx_hash)
            if receipt is not None and not receipt.ok:
                self.state.refused[f"{last.purpose}: {decode_revert(receipt.revert_data).error}"] += 1

    def _is_waiting(self, step: Step) -> bool:
        if self._waits[step.purpose] > 0:
            self._waits[step.purpose] -= 1
            return True
        return False


def _call(name: str, function: str, *args: object) -> bytes:
    return interface(name).encode_call(function, args)
