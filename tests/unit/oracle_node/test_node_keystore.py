"""Keys from an encrypted file or the environment

load_key
├── given neither or both places             InputError
├── given a variable that is not set         InputError, with the variable's name
├── given a key that is none                 InputError, without the key
├── given a file that others may read        InputError, chmod 600
├── given a wrong password                   InputError, without the password
├── given no keystore                        InputError
└── otherwise                                the key
write_keystore
├── given the file exists                    InputError; the file is untouched
└── otherwise                                a file for its owner only, without the key in it
"""

from __future__ import annotations

import pytest

from oracles.keys import SecretKey
from oracles.node.keystore import load_key, write_keystore
from rwa_sim.errors import InputError
from tests.unit.oracles import oracle_kit as kit

CANARY = kit.key("canary")
PASSWORD = "correct horse"
ENVIRONMENT = {"PASSWORD": PASSWORD, "WRONG": "wrong horse", "KEY": CANARY.hex(), "NO_KEY": "zz34"}


@pytest.fixture(scope="module")
def keystore(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "node.json"
    write_keystore(path, CANARY, PASSWORD, work_factor=2)
    return path


def load(**terms):
    return load_key(where="node.toml", environment=ENVIRONMENT, **terms)


def refused(expected: str, **terms):
    with pytest.raises(InputError) as raised:
        load(**terms)
    text = str(raised.value)
    assert expected in text
    assert "\n" not in text
    for secret in (CANARY.hex(), PASSWORD, "wrong horse", "zz34"):
        assert secret not in text
    assert raised.value.__cause__ is None


def test_load_key_walks_down_its_ladder(keystore, tmp_path):
    refused("either keystore and password_env, or key_env")
    refused("either keystore and password_env, or key_env", keystore=keystore, key_env="KEY")
    refused("an environment variable that is set, got NOT_SET", key_env="NOT_SET")
    refused("32 bytes in hex", key_env="NO_KEY")
    refused("environment variable", keystore=keystore)
    refused("a file that can be read", keystore=tmp_path / "none.json", password_env="PASSWORD")
    refused("version 3 keystore of that password", keystore=keystore, password_env="WRONG")
    (tmp_path / "open.json").write_bytes(keystore.read_bytes())
    (tmp_path / "open.json").chmod(0o640)
    refused("chmod 600", keystore=tmp_path / "open.json", password_env="PASSWORD")
    (tmp_path / "junk.json").write_text('{"version": 3}')
    (tmp_path / "junk.json").chmod(0o600)
    refused("version 3 keystore", keystore=tmp_path / "junk.json", password_env="PASSWORD")

    assert load(keystore=keystore, password_env="PASSWORD").address == SecretKey(CANARY).address
    assert load(key_env="KEY").address == SecretKey(CANARY).address


def test_write_keystore_makes_a_private_file_and_spares_an_old_one(keystore, tmp_path):
    before = keystore.read_bytes()

    with pytest.raises(InputError, match="does not exist"):
        write_keystore(keystore, kit.key("other"), PASSWORD, work_factor=2)
    with pytest.raises(InputError, match="not empty"):
        write_keystore(tmp_path / "new.json", CANARY, "", work_factor=2)

    assert keystore.read_bytes() == before
    assert keystore.stat().st_mode & 0o777 == 0o600
    assert CANARY.hex().encode() not in before
    assert not (tmp_path / "new.json").exists()


def test_a_key_never_shows_its_secret():
    key = load(key_env="KEY")

    assert CANARY.hex() not in repr(key) + str(key) + f"{key}"
