"""The questions an invariant asks after every step: encoded once, answers read word by word.

An invariant looks at everything, not at what the step could have touched, so the same views are called thousands of
times; with `Contract.call` most of a step was spent on coding their values.
"""

from __future__ import annotations

from collections import namedtuple
from functools import cache, lru_cache
from typing import Any

from rwa_sim.chain.artifacts import artifact
from rwa_sim.chain.contract import Contract, interface


def view(contract: Contract, function: str, *args: Any) -> Any:
    """What `Contract.call` answers, every value as an integer; a named tuple for a struct.

    Only for views whose values have one word each.
    """
    result = contract.engine.call(contract.address, _calldata(contract.name, function, args))
    assert result.ok, f"{contract.name}.{function} refused"
    record, data = _record(contract.name, function), result.data
    values = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data), 32)]
    if record is not None:
        return record(*values)
    (value,) = values
    return value


@lru_cache(maxsize=65_536)
def _calldata(name: str, function: str, args: tuple[Any, ...]) -> bytes:
    return interface(name).encode_call(function, args)


@cache
def _record(name: str, function: str) -> Any:
    """The shape of a struct that is returned, None for a single value."""
    (output,) = next(e["outputs"] for e in artifact(name).abi if e.get("name") == function)
    parts = output.get("components")
    return None if parts is None else namedtuple(function, [part["name"] for part in parts])
