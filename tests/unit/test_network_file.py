"""Network files: the node, the fees and where the key is.

load_network
├── a whole file                          its terms, in the program's units
├── no such file, an unknown key          one line with file and key
├── two addresses, none, an unset one     one line
└── a key in the file itself              refused: there is no such key
keyring_of
├── a keystore, or a variable             the same accounts; the faucet is the key itself
├── the key of another operator           other accounts
└── neither, both, a wrong password       one line that says no secret
"""

from __future__ import annotations

import pytest

from oracles.node.keystore import write_keystore
from rwa_sim.chain.rpc import GWEI, NodeTerms
from rwa_sim.chain.signing import FAUCET_LABEL, derive_account, derived_from
from rwa_sim.errors import InputError
from rwa_sim.network import accounts_of, keyring_of, load_network, terms_of

SECRET = bytes(31) + b"\x07"
FILE = """
[node]
url = "http://10.0.0.5:8545"
chain_id = 1337
finality_blocks = 3
timeout_s = 60

[fees]
max_fee_gwei = "2.5"
raise_after_s = 9
grant_gwei = "1000000"

[operator]
key_env = "OPERATOR_KEY"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(FILE, "utf-8")
    return path


def refusal(path, text, action=lambda path: load_network(path)) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        action(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_whole_file_is_read_in_the_programs_units(file):
    assert terms_of(load_network(file), file) == NodeTerms(
        url="http://10.0.0.5:8545",
        chain_id=1337,
        finality_blocks=3,
        timeout_s=60,
        max_fee_wei=25 * GWEI // 10,
        raise_fee_after_s=9,
        grant_wei=10**15,
    )


def test_the_address_may_come_from_a_variable(file):
    file.write_text(FILE.replace('url = "http://10.0.0.5:8545"', 'url_env = "NODE_URL"'), "utf-8")
    network = load_network(file)

    assert terms_of(network, file, {"NODE_URL": "https://node/v3/key"}).url == "https://node/v3/key"
    with pytest.raises(InputError, match=r"node\.url_env: expected a variable that is set, got NODE_URL"):
        terms_of(network, file, {})


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="--network: expected an existing file"):
        load_network(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("finality_blocks", "finality", "node.finality: expected no such key"),
        ("finality_blocks = 3", "finality_blocks = 0", "node.finality_blocks: expected greater than"),
        ("chain_id = 1337", "", "node.chain_id: expected this key"),
        ('"2.5"', "2.5", "fees.max_fee_gwei: expected a decimal number in quotes"),
        ('key_env = "OPERATOR_KEY"', 'key = "0x07"', "operator.key: expected no such key"),
        ('"http://10.0.0.5:8545"', '"10.0.0.5:8545"', "node.url"),
    ],
)
def test_what_cannot_be_used_is_named(file, old, new, said):
    assert said in refusal(file, FILE.replace(old, new))


@pytest.mark.parametrize("extra", ['url_env = "X"', None])
def test_an_address_is_given_once(file, extra):
    line = 'url = "http://10.0.0.5:8545"'
    text = FILE.replace(line, f"{line}\n{extra}" if extra else "")

    said = refusal(file, text, lambda path: terms_of(load_network(path), path))

    assert "node: expected either url or url_env" in said


def test_keystore_and_variable_give_the_same_accounts(file, tmp_path, monkeypatch):
    monkeypatch.setenv("OPERATOR_KEY", SECRET.hex())
    monkeypatch.setenv("PASSWORD", "correct")
    from_variable = accounts_of(file, [FAUCET_LABEL, "admin"])
    write_keystore(tmp_path / "key.json", SECRET, "correct", work_factor=2)
    file.write_text(
        FILE.replace('key_env = "OPERATOR_KEY"', 'keystore = "key.json"\npassword_env = "PASSWORD"'), "utf-8"
    )

    assert accounts_of(file, [FAUCET_LABEL, "admin"]) == from_variable
    assert keyring_of(load_network(file), file)(FAUCET_LABEL).key == SECRET

    monkeypatch.setenv("PASSWORD", "wrong-horse")
    with pytest.raises(InputError, match="to be a version 3 keystore of that password") as caught:
        accounts_of(file, ["admin"])
    assert "wrong-horse" not in str(caught.value)


def test_accounts_are_the_operators_and_nobody_elses():
    mine, other = derived_from(SECRET), derived_from(bytes(31) + b"\x08")

    assert mine("admin") == derived_from(SECRET)("admin")
    assert len({mine("admin").address, mine("bank").address, other("admin").address}) == 3
    assert mine("admin").address != derive_account(7, "admin").address


def test_without_a_key_the_line_says_what_is_needed(file, monkeypatch):
    monkeypatch.delenv("OPERATOR_KEY", raising=False)

    said = refusal(file, FILE, lambda path: accounts_of(path, ["admin"]))
    assert "an environment variable that is set" in said
    said = refusal(
        file, FILE.replace('key_env = "OPERATOR_KEY"', ""), lambda path: accounts_of(path, ["admin"])
    )
    assert "expected either keystore and password_env, or key_env" in said
