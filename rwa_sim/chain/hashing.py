"""keccak-256 by the fastest backend at hand; the same choice as `oracles.hashing`, which this room does not import."""

from __future__ import annotations

from collections.abc import Callable


def _pick_keccak() -> Callable[[bytes], bytes]:
    try:
        from sha3 import keccak_256  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        from eth_hash.auto import keccak as slower

        return slower
    return lambda data: keccak_256(data).digest()


keccak: Callable[[bytes], bytes] = _pick_keccak()
