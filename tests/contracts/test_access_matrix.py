"""The access-control matrix: every function of every contract with roles, called by every role

The cells come from the ABIs: each state-changing function (overloads apart) by the holder of each role, of the admin
role, and of none. The reviewed table says which role a function asks for, or that it asks for none; a function without
a row fails, and so does a row without a function. Arguments are zeros: a guard speaks before anything else does.
`test_access` walks the guards that are no roles.

given a function that asks for a role
├── when by a holder of that role                       the guard lets it through, whatever comes then
└── when by anybody else                                reverts AccessControlUnauthorizedAccount with that role
given a function that asks for none                     nobody is stopped for want of a role
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from rwa_sim.chain.artifacts import artifact, load_build
from rwa_sim.chain.contract import Contract, deploy
from rwa_sim.chain.deploy import NO_COUPON_TERMS, NOBODY, encode_bond
from rwa_sim.chain.engine import Engine, Transaction
from rwa_sim.chain.reverts import decode_revert
from rwa_sim.chain.tester import TesterEngine

NONE = ""
ADMIN = "DEFAULT_ADMIN_ROLE"
DENIED = "AccessControlUnauthorizedAccount"
SOMEBODY = "0x" + "11" * 20
ROLES = {"grantRole": ADMIN, "revokeRole": ADMIN, "renounceRole": NONE}
ERC20 = {"approve": NONE, "transfer": NONE, "transferFrom": NONE, "permit": NONE}
MATRIX: dict[str, dict[str, str]] = {
    "Stablecoin": ROLES
    | ERC20
    | {
        "mint": NONE,  # by allowance, not by role: see test_access
        "burn": NONE,
        "configureMinter": ADMIN,
        "removeMinter": ADMIN,
        "setReserveFeed": ADMIN,
        "setPaused": "PAUSER_ROLE",
        "setBlocked": "BLOCKER_ROLE",
        "rescue": "RESCUER_ROLE",
        "transferWithAuthorization": NONE,
        "receiveWithAuthorization": NONE,
        "cancelAuthorization": NONE,
    },
    "BondToken": ROLES
    | ERC20
    | {
        "mint": "ISSUER_ROLE",
        "burn": "RETIRER_ROLE",
        "declareRecordDate": "RECORD_ROLE",
        "pause": "ENFORCER_ROLE",
        "unpause": "ENFORCER_ROLE",
        "forcedTransfer": "ENFORCER_ROLE",
        "setFrozenTokens": "ENFORCER_ROLE",
        "setAddressFrozen": "ENFORCER_ROLE",
        "freezePartialTokens": "ENFORCER_ROLE",
        "unfreezePartialTokens": "ENFORCER_ROLE",
        "recoveryAddress": "ENFORCER_ROLE",
        "setRules": "RULES_ROLE",
        "setCountryPair": "RULES_ROLE",
        "setRuleModules": "RULES_ROLE",
        "setIdentityRegistry": "RULES_ROLE",
        "setDocument": "ISSUER_ROLE",
        "removeDocument": "ISSUER_ROLE",
        "identityChanged": NONE,  # the registry alone: see test_bond_rules
        "hold": NONE,
        "holdFrom": NONE,
        "executeHold": NONE,  # the notary alone: see test_bond_holds
        "releaseHold": NONE,
        "renewHold": NONE,
    },
    "IdentityRegistry": ROLES
    | {"register": "REGISTRAR_ROLE", "remove": "REGISTRAR_ROLE", "subscribe": ADMIN, "unsubscribe": ADMIN},
    "CouponDistributor": ROLES
    | {
        "declare": "ENGINE_ROLE",
        "fund": "ENGINE_ROLE",
        "declareAndFund": "ENGINE_ROLE",
        "fundArrears": "ENGINE_ROLE",
        "writeOffArrears": "ENGINE_ROLE",
        "claim": NONE,
        "claimMany": NONE,
        "claimArrears": NONE,
        "releaseParked": NONE,
        "expire": NONE,
        "remitTax": NONE,
        "pause": "GUARDIAN_ROLE",
        "unpause": "GUARDIAN_ROLE",
        "handOver": ADMIN,
        "takeOver": ADMIN,
    },
    "CashflowFeed": ROLES
    | {
        "registerAsset": ADMIN,
        "rotateSigners": ADMIN,
        "pullRipcord": "RIPCORD_ROLE",
        "resetRipcord": ADMIN,
        "transmit": NONE,  # by quorum of signatures
        "finalise": NONE,
        "deliver": NONE,
        "dispute": NONE,  # by bond
        "resolve": NONE,  # the asset's arbiter alone: see test_feed_challenges
        "releaseBond": NONE,
        "proveEquivocation": NONE,  # by the signer's own signatures
    },
    "AssetRegistry": ROLES
    | {
        "setAttestors": ADMIN,
        "certify": NONE,  # by quorum of signatures
        "revokeSigned": NONE,
        "revoke": "REVOKER_ROLE",
        "pledge": NONE,  # the certificate's owner alone
        "releasePledge": NONE,  # a pledged bond or a trustee, of a pledged asset: see test_assets
    },
}
DOORS_BESIDES = {"AssetRegistry": {"TRUSTEE_ROLE"}}  # roles that a check inside a function asks for
# their guards are parties, signatures, or terms: test_access, test_put, test_multi_leg, test_hash_timelock, ...
WITHOUT_ROLES = {
    "Waterfall",
    "DvPSettlement",
    "MultiLegSettlement",
    "PutFacility",
    "ReserveFeed",
    "CashflowAggregator",
    "ReadingProof",
    "HashTimelock",
    "KeyReleaseAsset",
    "KeyReleasePayment",
}
FROM_OPENZEPPELIN = {"RulesTimelock"}


def kind(entry: dict[str, Any]) -> str:
    """The ABI type as a signature writes it."""
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return "(" + ",".join(kind(part) for part in entry["components"]) + ")" + entry["type"][5:]


def nothing(type_: str) -> Any:
    """The zero of an ABI type; addresses are somebody's, so that no check of the address speaks first."""
    if type_.endswith("[]"):
        return []
    if type_.startswith("("):
        depth, parts, part = 0, [], ""
        for letter in type_[1:-1] + ",":
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                parts.append(part)
                part = ""
            else:
                part += letter
        return tuple(nothing(each) for each in parts)
    if type_ == "address":
        return SOMEBODY
    if type_ == "bool":
        return False
    if type_ == "string":
        return ""
    if type_.startswith("bytes"):
        return bytes(int(type_[5:] or 0))
    return 0


@cache
def functions(contract: str) -> dict[str, tuple[str, bytes]]:
    """Signature of each state-changing function, with its name and a call of zeros."""
    found = {}
    for entry in artifact(contract).abi:
        if entry["type"] != "function" or entry["stateMutability"] in ("view", "pure"):
            continue
        types = [kind(part) for part in entry["inputs"]]
        signature = f"{entry['name']}({','.join(types)})"
        data = keccak(text=signature)[:4] + encode(types, [nothing(each) for each in types])
        found[signature] = (entry["name"], data)
    return found


def roles(contract: str) -> list[str]:
    return sorted(
        entry["name"]
        for entry in artifact(contract).abi
        if entry["type"] == "function" and entry["name"].endswith("_ROLE") and not entry["inputs"]
    )


def raise_all(chain: Engine) -> dict[str, Contract]:
    """One contract of each kind, each role with an account of its own, named as the role."""
    admin = chain.account(ADMIN)
    cash = deploy(chain, "Stablecoin", "Cash", "C", b"USD", admin.address, sender=admin)
    terms = encode_bond(
        asset_id=bytes(32),
        currency=cash.address,
        face_usd6=1,
        rate_wad=0,
        issue_s=0,
        maturity_s=1,
        period_count=1,
    )
    bond = deploy(chain, "BondToken", "Bond", "B", terms, admin.address, sender=admin)
    ledger = (bond.address, cash.address, NO_COUPON_TERMS, NOBODY, admin.address)
    raised = {
        "Stablecoin": cash,
        "BondToken": bond,
        "IdentityRegistry": deploy(chain, "IdentityRegistry", admin.address, sender=admin),
        "CouponDistributor": deploy(chain, "CouponDistributor", *ledger, sender=admin),
        "CashflowFeed": deploy(chain, "CashflowFeed", admin.address, sender=admin),
        "AssetRegistry": deploy(chain, "AssetRegistry", admin.address, [admin.address], 1, sender=admin),
    }
    for name, contract in raised.items():
        for role in roles(name):
            contract.send("grantRole", contract.call(role), chain.account(role).address, sender=admin)
    return raised


@pytest.fixture(scope="module")
def raised():
    with TesterEngine(seed=1) as chain:
        yield chain, raise_all(chain)


def test_every_contract_has_its_place():
    sizes = {name: built["runtime_size"] for name, built in load_build()["contracts"].items()}
    own = {
        name
        for name, built in load_build()["contracts"].items()
        if built["folder"] not in ("mocks", "libraries")
    }
    deployable = {name for name in own if sizes[name] > 100}

    assert deployable == set(MATRIX) | WITHOUT_ROLES | FROM_OPENZEPPELIN


@pytest.mark.parametrize("contract", sorted(WITHOUT_ROLES))
def test_a_contract_without_roles_has_none(contract):
    assert roles(contract) == []
    assert "grantRole" not in {name for name, _ in functions(contract).values()}


@pytest.mark.parametrize("contract", MATRIX)
def test_every_function_has_a_row_and_every_role_a_door(contract):
    assert {name for name, _ in functions(contract).values()} == set(MATRIX[contract])
    doors = set(MATRIX[contract].values()) - {NONE} | DOORS_BESIDES.get(contract, set())
    assert doors == set(roles(contract)), "a role that opens nothing"


CELLS = [
    (contract, signature, caller)
    for contract in MATRIX
    for signature in functions(contract)
    for caller in [*roles(contract), NONE]
]


@pytest.mark.parametrize(("contract", "signature", "caller"), CELLS)
def test_the_guard_asks_for_exactly_its_role(raised, contract, signature, caller):
    chain, contracts = raised
    target = contracts[contract]
    name, data = functions(contract)[signature]
    who = chain.account(caller or "nobody in particular")
    mark = chain.snapshot()
    try:
        receipt = chain.submit([Transaction(sender=who, to=target.address, data=data)], None)[0]
        refusal = None if receipt.ok else decode_revert(receipt.revert_data, f"{contract}.{name}")
    finally:
        chain.revert(mark)
    wanted = MATRIX[contract][name]

    if wanted in (NONE, caller):
        assert refusal is None or refusal.error != DENIED, f"{caller or 'nobody'} is stopped: {refusal}"
    else:
        assert refusal is not None, f"{caller or 'nobody'} gets through"
        assert refusal.error == DENIED, f"{caller or 'nobody'}: {refusal}"
        assert refusal.fields["account"].lower() == who.address.lower()
        assert refusal.fields["neededRole"] == target.call(wanted)
