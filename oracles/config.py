"""Who may report on which asset, and the digest that binds a report to exactly that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import encode
from eth_utils.address import is_address, to_checksum_address

from oracles.hashing import keccak
from rwa_sim.errors import InputError

UNIT = "Wh"


def asset_id_of(asset_name: str) -> bytes:
    """The 32-byte id of an asset: keccak256 of its name in UTF-8."""
    return keccak(asset_name.encode())


@dataclass(frozen=True, kw_only=True)
class FeedConfig:
    """Signer set and place of one asset's feed.

    `fault_tolerance` is f, the number of nodes that may lie; `quorum` counts signatures;
    `config_count` is 1 for the first signer set of the asset and rises with each rotation.

    Raises:
        InputError: n <= 3f, a quorum that f liars could meet alone or that n nodes cannot
            meet, doubled or malformed addresses, signers out of order.
    """

    chain_id: int
    feed: str
    asset_id: bytes
    signers: tuple[str, ...]
    quorum: int
    fault_tolerance: int
    config_count: int = 1

    @classmethod
    def create(
        cls,
        *,
        chain_id: int,
        feed: str,
        asset_name: str,
        signers: Iterable[str],
        fault_tolerance: int = 1,
        quorum: int | None = None,
        config_count: int = 1,
    ) -> FeedConfig:
        """Sort the signers, and take 2f + 1 as the quorum if none is given."""
        addresses = [feed, *signers]
        for address in addresses:
            if not is_address(address):
                raise InputError(
                    where="feed configuration", expected="an Ethereum address", got=repr(address)
                )
        return cls(
            chain_id=chain_id,
            feed=to_checksum_address(feed),
            asset_id=asset_id_of(asset_name),
            signers=tuple(sorted(map(to_checksum_address, addresses[1:]), key=address_order)),
            quorum=2 * fault_tolerance + 1 if quorum is None else quorum,
            fault_tolerance=fault_tolerance,
            config_count=config_count,
        )

    def __post_init__(self) -> None:
        count, f = len(self.signers), self.fault_tolerance
        _require(f >= 0 and count > 3 * f, "signers", f"more than 3f = {3 * f} signers", count)
        _require(f < self.quorum <= count, "quorum", f"f + 1 to n, {f + 1} to {count}", self.quorum)
        ascending = sorted(set(self.signers), key=address_order)
        _require(list(self.signers) == ascending, "signers", "distinct addresses, ascending", self.signers)
        _require(len(self.asset_id) == 32, "asset_id", "32 bytes", len(self.asset_id))

    @property
    def observation_quorum(self) -> int:
        """Least number of observations: 2f + 1 puts the lower median in the honest range."""
        return max(self.quorum, 2 * self.fault_tolerance + 1)

    @cached_property
    def digest(self) -> bytes:
        """keccak256 of chain, feed, asset, rotation, signers, quorum, f and unit, as on chain."""
        return keccak(
            encode(
                ["uint256", "address", "bytes32", "uint32", "address[]", "uint8", "uint8", "string"],
                [
                    self.chain_id,
                    self.feed,
                    self.asset_id,
                    self.config_count,
                    list(self.signers),
                    self.quorum,
                    self.fault_tolerance,
                    UNIT,
                ],
            )
        )


def address_order(address: str) -> int:
    """Sort key of an address: its value as a number, as Solidity compares it."""
    return int(address, 16)


def _require(holds: bool, key: str, expected: str, got: object) -> None:
    if not holds:
        raise InputError(where="feed configuration", key=key, expected=expected, got=str(got))
