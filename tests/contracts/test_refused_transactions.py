"""A transaction the node itself does not take: one clear line, and the account works afterwards.

submit
├── given an account without gas money     raises TransactionRefused that names the account
└── given money afterwards                 the same account's next transaction is mined
"""

from __future__ import annotations

import pytest

from rwa_sim.chain.engine import Transaction
from rwa_sim.chain.signing import FAUCET_LABEL, derive_account
from rwa_sim.errors import TransactionRefused


@pytest.mark.parametrize("engine", ["chain", "anvil", "revm"])
def test_without_gas_money_the_transaction_is_refused_and_the_nonce_is_free(engine, request):
    node = request.getfixturevalue(engine)
    poor, friend = derive_account(99, "poor"), node.account("friend")
    gift = Transaction(sender=poor, to=friend.address, data=b"", gas=21_000, value_wei=1)

    with pytest.raises(TransactionRefused, match="poor"):
        node.submit([gift])

    faucet = node.account(FAUCET_LABEL)
    node.submit([Transaction(sender=faucet, to=poor.address, data=b"", gas=21_000, value_wei=10**18)])
    assert node.submit([gift])[0].ok
