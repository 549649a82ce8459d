"""The output folder of an executed tape: every trade as Parquet, the run as JSON, its timing apart."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rwa_sim import __version__
from rwa_sim.execution import Execution
from rwa_sim.files import folder_replaced_when_done
from rwa_sim.rails.atomic import TokenisedProfile
from rwa_sim.rails.columns import NEVER, SETTLEMENT_COLUMNS, FailReason, Market
from rwa_sim.study.document import LoadedStudy

PINNED = ("duckdb", "numpy")


def write_execution(
    execution: Execution, loaded: LoadedStudy, market: Market, profile: TokenisedProfile, out: Path
) -> None:
    """Write the folder aside, then put it in place. `timing.json` is the only file that differs between two runs."""
    with folder_replaced_when_done(out) as folder:
        _write_trades(execution, market, folder / "settlements.parquet")
        _write_json(folder / "execution.json", execution_json(execution, loaded, profile))
        _write_json(folder / "timing.json", timing_json(execution))


def execution_json(execution: Execution, loaded: LoadedStudy, profile: TokenisedProfile) -> dict[str, Any]:
    """The content of `execution.json`: what was executed, and what became of it."""
    settlement = execution.settlement
    gas = int(settlement.gas.sum())
    return {
        "schema": "rwa-sim/execution/1",
        "study": loaded.study.name,
        "study_sha256": loaded.sha256,
        "seed": loaded.study.seed,
        "world": execution.world,
        "block_s": profile.block_s.value,
        "engine": execution.engine,
        "equal_to_model": True,  # else there is no folder
        "trades": len(settlement),
        "settled": execution.settled,
        "settled_late": execution.late,
        "never_settled": len(settlement) - execution.settled,
        "attempts": execution.attempts,
        "refused_by": dict(execution.errors),
        "transactions": execution.transactions,
        "blocks": execution.blocks,
        "purged": execution.purged,
        "gas": gas,
        "gas_per_trade": gas // len(settlement) if len(settlement) else 0,
        "gas_is_estimate": execution.gas_is_estimate,
        "versions": {
            "rwa-sim": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in PINNED},
        },
    }


def timing_json(execution: Execution) -> dict[str, Any]:
    """The content of `timing.json`: how long it took on this machine, and the memory it held meanwhile."""
    return {
        "schema": "rwa-sim/timing/1",
        "seconds": round(execution.seconds, 3),
        "trades_per_second": round(execution.per_second, 1),
        "memory_bytes": [{"attempts": done, "resident": held} for done, held in execution.memory],
    }


def _write_trades(execution: Execution, market: Market, path: Path) -> None:
    """One row a trade in tape order; an instant that never came is null, the fail reason its word."""
    import duckdb

    settlement, tape = execution.settlement, market.tape
    columns: dict[str, np.ndarray] = {
        "trade_id": np.array([tape.trade_id(place) for place in range(len(tape))]),
        "instrument": np.array(market.instruments)[tape.instrument],
        "seller": np.array(market.participants)[tape.seller],
        "buyer": np.array(market.participants)[tape.buyer],
        **{name: getattr(settlement, name) for name in SETTLEMENT_COLUMNS},
    }
    columns["fail_reason"] = np.array([reason.text for reason in FailReason])[settlement.fail_reason]
    with duckdb.connect() as connection:
        connection.register("trades", columns)
        rows = connection.sql(
            "SELECT * REPLACE (nullif(finalized_at_s, $never) AS finalized_at_s) FROM trades",
            params={"never": NEVER},
        )
        rows.write_parquet(str(path))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
