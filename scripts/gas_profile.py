"""Where the gas of one DvP goes: traces `settle` on Anvil and adds up by what spends it.

    python scripts/gas_profile.py

The trade is that of `tests/contracts/test_gas.py`: both parties hold both tokens and have allowed both without bound.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

import rwa_sim.chain.anvil as anvil
from tests.contracts.kit import DOLLAR, Market, agree, deploy_market, fund, open_trade, settle, transfer

TRANSACTION_GAS = 21_000
CALLS = ("CALL", "STATICCALL", "DELEGATECALL")


class Tracing(subprocess.Popen[str]):
    """Anvil that keeps every step."""

    def __init__(self, command: list[str], **options: Any) -> None:
        super().__init__([*command, "--steps-tracing"], **options)


def steps_of(url: str, tx_hash: str) -> list[dict[str, Any]]:
    """The steps of a transaction, in order."""
    question = {"jsonrpc": "2.0", "id": 1, "method": "debug_traceTransaction", "params": [tx_hash, {}]}
    answer = requests.post(url, json=question, timeout=60)
    steps: list[dict[str, Any]] = answer.json()["result"]["structLogs"]
    return steps


def profile(steps: list[dict[str, Any]], names: dict[int, str], gas_used: int) -> Counter[str]:
    """Gas by who runs and what for; what the steps do not show is the transaction and its data."""
    spent: Counter[str] = Counter()
    frames = ["book"]
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        del frames[step["depth"] :]
        who = frames[-1]
        if step["op"] in CALLS:
            callee = names.get(int(step["stack"][-2], 16), "other call")
            entered = after is not None and after["depth"] > step["depth"]
            if entered:
                frames.append(callee)
                continue
            spent[callee] += step["gas"] - after["gas"] if after else step["gasCost"]
            continue
        kind = (
            "storage" if step["op"] in ("SLOAD", "SSTORE") else "event" if step["op"][:3] == "LOG" else "work"
        )
        spent[f"{who}, {kind}"] += step["gasCost"]
    spent["transaction"] = TRANSACTION_GAS
    spent["data of the call, entering the tokens"] = gas_used - sum(spent.values())
    return spent


def main() -> None:
    anvil.subprocess.Popen = Tracing  # type: ignore[misc, assignment]
    with anvil.AnvilEngine(seed=1) as chain:
        market: Market = deploy_market(chain)
        open_trade(market, units=100, usd6=5_000 * DOLLAR)
        fund(market, market.seller, 1)
        transfer(market.bond, market.seller, market.buyer, 10)
        receipt = settle(market, agree(market))
        names = {int(market.bond.address, 16): "bond", int(market.cash.address, 16): "cash", 1: "ecrecover"}
        spent = profile(steps_of(chain.url, receipt.tx_hash), names, receipt.gas_used)
    for what, gas in sorted(spent.items()):
        print(f"{what:40} {gas:>8,}")
    print(f"{'in all':40} {receipt.gas_used:>8,}")


if __name__ == "__main__":
    main()
