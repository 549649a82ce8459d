"""Identities as `IdentityRegistry` keeps them, and the registry put in force for a set of bonds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.engine import Account, Engine, Receipt

FOR_EVER_S = 2**40 - 1
PROFESSIONAL, RETAIL = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who stands behind a wallet.

    Attributes:
        identity: address of the investor's identity; several wallets may share it.
        country: ISO 3166-1 numeric.
        investor_class: 1 to 15; here 1 professional, 2 retail.
        valid_until_s: first second (UTC) at which it does not count.
    """

    identity: str
    country: int = 276
    investor_class: int = PROFESSIONAL
    valid_until_s: int = FOR_EVER_S

    def to_abi(self) -> dict[str, object]:
        """`IIdentityRegistry.Identity`."""
        return {
            "identity": self.identity,
            "country": self.country,
            "investorClass": self.investor_class,
            "validUntil": self.valid_until_s,
        }


def deploy_registry(engine: Engine, bonds: Iterable[Contract], admin: Account) -> Contract:
    """A registry run by the admin and in force on the bonds: from now on only the registered may receive."""
    registry = deploy(engine, "IdentityRegistry", admin.address, sender=admin)
    registry.send("grantRole", registry.call("REGISTRAR_ROLE"), admin.address, sender=admin)
    for bond in bonds:
        registry.send("subscribe", bond.address, sender=admin)
        bond.send("setIdentityRegistry", registry.address, sender=admin)
    return registry


def register(
    registry: Contract, identities: Mapping[str, Identity], by: Account, at_s: int | None = None
) -> Receipt:
    """Register wallets (by address); the subscribed bonds know of it in the same transaction."""
    return registry.send(
        "register",
        list(identities),
        [identity.to_abi() for identity in identities.values()],
        sender=by,
        at_s=at_s,
    )
