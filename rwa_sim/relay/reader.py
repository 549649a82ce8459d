"""The chain as the relay sees it: what is due is read from the contracts, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oracles.watch import Claim
from rwa_sim.chain.contract import interface
from rwa_sim.chain.json_rpc import JsonRpc
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.errors import EnvironmentFault, NodeUnreachable, Reverted
from rwa_sim.relay.plan import ChainView, DueCoupon, OpenReport, OpenStatus

STATUSES = tuple(OpenStatus)  # in the order of ICashflowFeed.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Addresses of a deal."""

    feed: str
    waterfall: str
    cash: str
    distributors: tuple[str, ...]


class ChainReader:
    """Reads one deal of one asset.

    Args:
        node: the chain.
        contracts: the deal.
        asset_id: the asset.
        holders: who coupons are pushed to.

    Raises:
        EnvironmentFault: there is no contract at one of the addresses.
    """

    def __init__(self, node: JsonRpc, contracts: Contracts, asset_id: bytes, holders: Sequence[str]) -> None:
        self._node, self.contracts, self.asset_id, self.holders = node, contracts, asset_id, tuple(holders)
        self._served: dict[int, int] = {}
        named = (contracts.feed, contracts.waterfall, contracts.cash, *contracts.distributors)
        for address in named:
            if node.rpc("eth_getCode", [address, "latest"]) in ("0x", None):
                raise EnvironmentFault(
                    f"chain node at {node.url}: expected a contract at {address}, got none"
                )
        self.terms = self._read("CashflowFeed", contracts.feed, "assetTerms", asset_id)

    def view(self) -> ChainView:
        """What is due."""
        head = self._node.head()
        state = self._read("Waterfall", self.contracts.waterfall, "state")
        return ChainView(
            now_s=head.timestamp_s,
            last_final=self.last_final(),
            open_report=self.open_report(),
            ripcord=self._read("CashflowFeed", self.contracts.feed, "isRipcordPulled", self.asset_id),
            waterfall_period=state.periodId,
            distributable=self._would_distribute(),
            minted_usd6=self._read("Stablecoin", self.contracts.cash, "totalSupply"),
            coupons=tuple(self._due_coupons()),
        )

    def last_final(self, *, block: int | None = None) -> int:
        """The last period that is final, in the last block or an earlier one."""
        return int(
            self._read("CashflowFeed", self.contracts.feed, "lastPeriodId", self.asset_id, block=block)
        )

    def confirmed(self, depth: int) -> int:
        """The last period that is final under `depth` blocks; 0 where the node cannot look so far back."""
        number = self._node.head().number - depth
        try:
            return self.last_final(block=number) if number > 0 else 0
        except (NodeUnreachable, Reverted, ValueError):  # the node has forgotten so old a state
            return 0

    def forget(self) -> None:
        """Look at every coupon again: the chain may have gone back."""
        self._served.clear()

    def accepted(self) -> Claim:
        """The values of the last final report."""
        state = self._read("CashflowFeed", self.contracts.feed, "assetState", self.asset_id)
        return Claim(register_wh=state.registerWh, credited_usd6=state.creditedUsd6)

    def allowance(self, owner: str) -> int:
        """What the feed may take of an account's bond token."""
        token = self.terms.bondToken
        return int(self._read("Stablecoin", token, "allowance", owner, self.contracts.feed))

    def open_report(self) -> OpenReport | None:
        """The report that is not final yet, or was rejected last; None if there is none."""
        opened = self._read("CashflowFeed", self.contracts.feed, "openReport", self.asset_id)
        status = STATUSES[opened.status]
        if status is OpenStatus.NONE:
            return None
        return OpenReport(
            period_id=opened.periodId,
            revision=opened.revision,
            status=status,
            finalisable_at_s=opened.acceptedAt + int(self.terms.challengeWindowS),
            claim=Claim(register_wh=opened.registerWh, credited_usd6=opened.creditedUsd6),
        )

    def _due_coupons(self) -> list[DueCoupon]:
        due = []
        for index, address in enumerate(self.contracts.distributors):
            last = self._read("CouponDistributor", address, "lastCouponId")
            for coupon_id in range(self._served.get(index, 0) + 1, last + 1):
                served = all(
                    self._read("CouponDistributor", address, "isServed", coupon_id, holder)
                    for holder in self.holders
                )
                if served and self._served.get(index, 0) == coupon_id - 1:
                    self._served[index] = coupon_id
                if not served:
                    coupon = self._read("CouponDistributor", address, "coupon", coupon_id)
                    due.append(
                        DueCoupon(class_index=index, coupon_id=coupon_id, record_at_s=coupon.recordTime)
                    )
        return due

    def _would_distribute(self) -> bool:
        data = interface("Waterfall").encode_call("distribute", ())
        return self._node.call(self.contracts.waterfall, data, self.holders[0]).ok

    def _read(self, name: str, address: str, function: str, *args: Any, block: int | None = None) -> Any:
        known = interface(name)
        result = self._node.call(address, known.encode_call(function, args), block=block)
        if not result.ok:
            raise decode_revert(result.data, f"{name}.{function}")
        return known.decode_output(function, result.data)
