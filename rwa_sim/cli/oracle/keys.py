"""`rwa-sim oracle new-key`, `release`, `reopen`: what a node's operator does by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PASSWORD_ENV = "RWA_SIM_PASSWORD"  # noqa: S105  the name of a variable, not a password
Keystore = Annotated[Path, typer.Option(help="Keystore file of the operator.")]
PasswordEnv = Annotated[str, typer.Option(help="Environment variable that holds its password.")]
Period = Annotated[int, typer.Option(min=1, help="Number of the period.")]
Reason = Annotated[str, typer.Option(help="Why; it is written down.")]


def register(oracle: typer.Typer) -> None:
    """Add the commands to the group."""

    @oracle.command("new-key")
    def new_key(
        out: Annotated[Path, typer.Option(help="Keystore file to write; must not exist.")],
        password_env: PasswordEnv = PASSWORD_ENV,
    ) -> None:
        """Make a signing key in an encrypted file, and print its address."""
        import os
        import secrets

        from oracles.node.keystore import write_keystore
        from rwa_sim.errors import InputError

        password = os.environ.get(password_env, "")
        if not password:
            raise InputError(
                where="oracle new-key",
                key="--password-env",
                expected=f"a password in the variable {password_env}",
            )
        typer.echo(write_keystore(out, secrets.token_bytes(32), password))

    @oracle.command()
    def release(
        node: Annotated[str, typer.Option(help="Where the node answers, such as http://127.0.0.1:8701.")],
        address: Annotated[str, typer.Option(help="The node's address.")],
        period: Period,
        reason: Reason,
        keystore: Keystore,
        password_env: PasswordEnv = PASSWORD_ENV,
    ) -> None:
        """Let a held period of a node go, as its operator."""
        _decide("release", node, address, period, reason, keystore, password_env)

    @oracle.command()
    def reopen(
        node: Annotated[str, typer.Option(help="Where the node answers, such as http://127.0.0.1:8701.")],
        address: Annotated[str, typer.Option(help="The node's address.")],
        period: Period,
        reason: Reason,
        keystore: Keystore,
        password_env: PasswordEnv = PASSWORD_ENV,
    ) -> None:
        """Let a node look at a period again for the next revision of its report, as its operator."""
        _decide("reopen", node, address, period, reason, keystore, password_env)


def _decide(
    what: str, url: str, address: str, period: int, reason: str, keystore: Path, password_env: str
) -> None:
    import asyncio

    import aiohttp

    from oracles.node.auth import RequestSigner
    from oracles.node.client import NodeClient
    from oracles.node.durable import Decision
    from oracles.node.keystore import load_key

    key = load_key(where=f"oracle {what}", keystore=keystore, password_env=password_env)
    decision = Decision(period_id=period, reason=reason)

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            client = NodeClient(session, RequestSigner(key), address=address, url=url)
            await (client.release(decision) if what == "release" else client.reopen(decision))

    asyncio.run(ask())
    typer.echo(f"{what}d: period {period}" if what == "release" else f"reopened: period {period}")
