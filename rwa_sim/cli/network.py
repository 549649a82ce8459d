"""`rwa-sim network`: look at the chain that engine rpc would use, before anything is sent to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rwa_sim.chain.engine import Account
    from rwa_sim.chain.rpc import RpcEngine

File = Annotated[Path, typer.Argument(help="Network file: node, fees, operator.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="The chain of engine rpc.", no_args_is_help=True)
    app.add_typer(group, name="network")

    @group.command()
    def check(
        file: File,
        send: Annotated[
            bool, typer.Option("--send", help="Also send a transfer of nothing and time it to finality.")
        ] = False,
    ) -> None:
        """Connect, and say what the chain and the operator's account are like."""
        from rwa_sim.network import open_network

        with open_network(file) as engine:
            head, operator = engine.head(), engine.account("faucet")
            can = engine.capabilities
            rows = {
                "chain": str(engine.chain_id),
                "last block": f"{head.number} at {head.timestamp_s} s",
                "finality": f"{can.finality_blocks} block{'s' if can.finality_blocks > 1 else ''}",
                "gas": "paid, new accounts are given some" if can.accounts_are_funded else "free",
                "reasons of refusals": "traced" if can.revert_data else "only as far as receipts tell them",
                "simulated time": "yes, the node is taken over" if can.travel else "no",
                "operator": f"{operator.address}, {engine.node.balance_wei(operator.address)} wei",
            }
            if send:
                rows["sent"] = _sent(engine, operator)
        for name, value in rows.items():
            typer.echo(f"{name:20} {value}")

    @group.command()
    def accounts(
        file: File,
        labels: Annotated[list[str], typer.Argument(help="Names such as admin, sponsor, bank-01.")],
    ) -> None:
        """Print the addresses of named accounts, for a network that admits known ones only."""
        from rwa_sim.network import accounts_of

        for label, address in accounts_of(file, ["faucet", *labels]).items():
            typer.echo(f"{address} {label}")


def _sent(engine: RpcEngine, operator: Account) -> str:
    import time

    from rwa_sim.chain.engine import Transaction

    start = time.monotonic()
    nothing = Transaction(sender=operator, to=operator.address, data=b"", gas=21_000)
    receipt = engine.submit([nothing])[0]
    return f"{receipt.tx_hash} final in block {receipt.block_number} after {time.monotonic() - start:.1f} s"
