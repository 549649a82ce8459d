"""A network file: which node, which chain, how final, and where the key is. The key itself is never in it.

    file ──load_network──► NetworkFile ──open_network──► RpcEngine

The operator's key pays for gas; the accounts of a deal are derived from it one way, so that nobody who knows
a scenario's seed has a key. `accounts_of` lists their addresses for a network that admits known ones only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from oracles.node.settings import EnvName, KeySection, key_of
from rwa_sim.chain.rpc import GWEI, NodeTerms, RpcEngine
from rwa_sim.chain.signing import Keyring, derived_from
from rwa_sim.documents import Amount, Section, read_document
from rwa_sim.errors import DataMissing, InputError

Url = Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s]+$")]


class NodeSection(Section):
    """The node and the chain it must be on. `url_env` names a variable where the address is itself a secret."""

    url: Url | Literal[""] = ""
    url_env: EnvName | Literal[""] = ""
    chain_id: Annotated[int, Field(gt=0, lt=2**63)]
    finality_blocks: Annotated[int, Field(ge=1, le=10_000)] = 1
    timeout_s: Annotated[int, Field(ge=1, le=86_400)] = 120
    answer_s: Annotated[int, Field(ge=1, le=600)] = 30
    travel: bool = False


class FeeSection(Section):
    """What is paid for gas, and how much of it a new account is given."""

    free_gas: bool = False
    max_fee_gwei: Amount = Decimal(100)
    raise_after_s: Annotated[int, Field(ge=1, le=86_400)] = 30
    grant_gwei: Amount = Decimal(10**9)


class NetworkFile(Section):
    """The whole file."""

    node: NodeSection
    fees: FeeSection = FeeSection()
    operator: KeySection


def load_network(path: Path) -> NetworkFile:
    """Read and check a network file.

    Raises:
        InputError: it is not there, or a key of it cannot be used.
    """
    if not path.is_file():
        raise DataMissing(where="network", key="--network", path=str(path))
    return read_document(path, NetworkFile)[0]


def open_network(path: Path) -> RpcEngine:
    """The engine on a network file's node.

    Raises:
        InputError: the file, its key or its chain cannot be used.
        NodeUnreachable: the node does not answer.
    """
    network = load_network(path)
    return RpcEngine(terms_of(network, path), keyring_of(network, path))


def terms_of(network: NetworkFile, path: Path, environment: Mapping[str, str] = os.environ) -> NodeTerms:
    """The node's terms.

    Raises:
        InputError: no address, or two.
    """
    node, fees = network.node, network.fees
    if bool(node.url) == bool(node.url_env):
        raise InputError(where=str(path), key="node", expected="either url or url_env")
    url = node.url or environment.get(node.url_env, "")
    if not url:
        raise InputError(
            where=str(path), key="node.url_env", expected="a variable that is set", got=node.url_env
        )
    return NodeTerms(
        url=url,
        chain_id=node.chain_id,
        finality_blocks=node.finality_blocks,
        timeout_s=node.timeout_s,
        answer_s=node.answer_s,
        travel=node.travel,
        free_gas=fees.free_gas,
        max_fee_wei=int(fees.max_fee_gwei * GWEI),
        raise_fee_after_s=fees.raise_after_s,
        grant_wei=int(fees.grant_gwei * GWEI),
    )


def keyring_of(network: NetworkFile, path: Path) -> Keyring:
    """The operator's accounts.

    Raises:
        InputError: the keystore or the variable cannot be used; never says a secret.
    """
    return derived_from(key_of(network.operator, path).for_transactions())


def accounts_of(path: Path, labels: Iterable[str]) -> dict[str, str]:
    """Addresses by label, for a network's list of admitted accounts.

    Raises:
        InputError: the file or its key cannot be used.
    """
    keyring = keyring_of(load_network(path), path)
    return {label: keyring(label).address for label in labels}
