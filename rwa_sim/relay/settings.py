"""Configuration file of a relay."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from oracles.node.settings import Address, ClockSection, KeySection, Port, Text
from oracles.watch import MOST_SPREAD_BPS
from rwa_sim.documents import Section

Url = Annotated[str, Field(max_length=255, pattern=r"^https?://[A-Za-z0-9.:/_\[\]-]+$")]


class ChainSection(Section):
    """The chain and the deal on it."""

    url: Url
    chain_id: Annotated[int, Field(gt=0)]
    feed: Address
    waterfall: Address
    cash: Address
    distributors: Annotated[list[Address], Field(min_length=1, max_length=8)]
    holders: Annotated[list[Address], Field(min_length=1, max_length=10_000)]
    confirmations: Annotated[int, Field(ge=0, le=10_000)] = 3


class CollectionSection(Section):
    """Where the bank's messages are, and of which account."""

    folder: Text
    account: Text


class WatchSettings(Section):
    """One watcher, beside its own node."""

    data: Text
    asset: Text
    node: Url
    key: KeySection
    chain: ChainSection
    most_spread_bps: Annotated[int, Field(ge=0, le=10_000)] = MOST_SPREAD_BPS


class RelaySettings(Section):
    """One relay."""

    data: Text
    port: Port
    asset: Text
    aggregator: Url
    key: KeySection
    on_ramp: KeySection
    chain: ChainSection
    bank: CollectionSection
    clock: ClockSection | None = None
