"""Where a process gets its signing key from: an encrypted file or the environment, and nowhere else.

The file is an Ethereum keystore (version 3), readable by its owner only. Its password comes from an
environment variable that the configuration names; neither is ever on a command line, in a log or in a
scenario.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from oracles.keys import SecretKey
from rwa_sim.errors import InputError

_OTHERS = 0o077


def load_key(
    *,
    where: str,
    keystore: Path | None = None,
    password_env: str = "",
    key_env: str = "",
    environment: Mapping[str, str] = os.environ,
) -> SecretKey:
    """The key of a keystore file, or of an environment variable in hex.

    Raises:
        InputError: both or neither named, a file that others may read or that cannot be opened, a
            variable that is not set, a password or key that is not right. Never says a secret.
    """
    if (keystore is None) == (not key_env):
        raise InputError(where=where, key="key", expected="either keystore and password_env, or key_env")
    if keystore is None:
        text = _variable(environment, key_env, where)
        try:
            return SecretKey(bytes.fromhex(text.removeprefix("0x")))
        except ValueError:
            raise InputError(where=where, key=key_env, expected="32 bytes in hex in that variable") from None
    return SecretKey(_decrypt(keystore, _variable(environment, password_env, where), where))


def write_keystore(path: Path, secret: bytes, password: str, *, work_factor: int | None = None) -> str:
    """Write a new keystore file; gives the key's address. An existing file is left alone.

    Args:
        work_factor: n of scrypt; the library's own if not given. A small one is for simulated keys only.

    Raises:
        InputError: the file exists, or an empty password.
    """
    from eth_account import Account

    if not password:
        raise InputError(where=str(path), key="password", expected="a password that is not empty")
    document = Account.encrypt(secret, password, kdf="scrypt", iterations=work_factor)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(where=str(path), key="keystore", expected="a file that does not exist") from None
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(document, stream)
    return SecretKey(secret).address


def _decrypt(path: Path, password: str, where: str) -> bytes:
    from eth_account import Account

    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            where=where, key="keystore", expected="a file that can be read", got=str(path)
        ) from None
    if mode & _OTHERS:
        raise InputError(
            where=where,
            key="keystore",
            expected=f"{path} readable by its owner only (chmod 600)",
            got=oct(mode & 0o777),
        )
    try:
        return bytes(Account.decrypt(text, password))
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        raise InputError(
            where=where, key="keystore", expected=f"{path} to be a version 3 keystore of that password"
        ) from None


def _variable(environment: Mapping[str, str], name: str, where: str) -> str:
    if not name or not environment.get(name):
        raise InputError(
            where=where,
            key="password_env or key_env",
            expected="the name of an environment variable that is set",
            got=name,
        )
    return environment[name]
