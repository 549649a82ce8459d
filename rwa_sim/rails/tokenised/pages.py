"""Calls that serve many holders: fifty in a transaction, a hundred transactions in a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rwa_sim.chain.contract import Contract
from rwa_sim.chain.engine import Receipt
from rwa_sim.rails.tokenised.stage import Stage

PAGE = 50  # holders served in one transaction
PAGE_GAS, HOLDER_GAS = 300_000, 200_000
PAGES_IN_BLOCK = 100  # what the block's gas takes, twice over


def push_pages(
    stage: Stage, contract: Contract, function: str, subject: int, addresses: Sequence[str], now_s: int
) -> Iterator[Receipt]:
    """Serve these addresses in order by `function(subject, addresses of a page)`; each receipt as its block is mined.

    Raises:
        Reverted: the contract refused a page.
    """
    pages = [addresses[start : start + PAGE] for start in range(0, len(addresses), PAGE)]
    for start in range(0, len(pages), PAGES_IN_BLOCK):
        transactions = [
            stage.transaction(contract, function, subject, page, gas=PAGE_GAS + HOLDER_GAS * len(page))
            for page in pages[start : start + PAGES_IN_BLOCK]
        ]
        for receipt in stage.engine.submit(transactions, stage.block_at(now_s)):
            yield contract.accepted(receipt, function)
