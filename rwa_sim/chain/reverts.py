"""The one place that turns revert data into an exception with a name and fields."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from rwa_sim.chain import artifacts
from rwa_sim.chain.codec import decode_values, selector_of
from rwa_sim.errors import Reverted

ERROR_SELECTOR = bytes.fromhex("08c379a0")  # Error(string)
PANIC_SELECTOR = bytes.fromhex("4e487b71")  # Panic(uint256)
PANIC_MEANING = {
    0x01: "assert",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "invalid enum",
    0x31: "pop of an empty array",
    0x32: "index out of bounds",
    0x41: "out of memory",
}


def decode_revert(data: bytes, call: str = "") -> Reverted:
    """Name the error in revert data.

    Args:
        data: what the reverting call returned.
        call: what was called, for the message.

    Returns:
        `Reverted` with the custom error's name and fields; `Error` (reason), `Panic` (code, meaning),
        `Empty` (out of gas, or a revert without data) or `Unknown` (selector) otherwise.
    """
    if not data:
        return Reverted("Empty", {}, data, call)
    selector, body = data[:4], data[4:]
    try:
        if selector == ERROR_SELECTOR:
            return Reverted("Error", {"reason": decode(["string"], body)[0]}, data, call)
        if selector == PANIC_SELECTOR:
            code = decode(["uint256"], body)[0]
            return Reverted(
                "Panic", {"code": code, "meaning": PANIC_MEANING.get(code, "unknown")}, data, call
            )
        entry = _known_errors().get(selector)
        if entry is not None:
            values = decode_values(entry["inputs"], body)
            names = [item["name"] or str(index) for index, item in enumerate(entry["inputs"])]
            return Reverted(entry["name"], dict(zip(names, values, strict=True)), data, call)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass  # data that only looks like an error we know is reported as unknown, with its selector
    return Reverted("Unknown", {"selector": "0x" + selector.hex()}, data, call)


@cache
def _known_errors() -> dict[bytes, dict[str, Any]]:
    known: dict[bytes, dict[str, Any]] = {}
    for contract in artifacts.load_build()["contracts"].values():
        for entry in contract["abi"]:
            if entry["type"] == "error":
                known[selector_of(entry)] = entry
    return known
