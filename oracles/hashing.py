"""keccak-256 by the fastest backend at hand, and Merkle trees that a contract can verify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

ZERO32 = bytes(32)


def _pick_keccak() -> Callable[[bytes], bytes]:
    # pysha3 is eight times faster than the backend eth_hash prefers when both are there.
    try:
        from sha3 import keccak_256  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        from eth_hash.auto import keccak as slower

        return slower
    return lambda data: keccak_256(data).digest()


keccak: Callable[[bytes], bytes] = _pick_keccak()


def leaf_hash(data: bytes) -> bytes:
    """Hash `data` twice, so that no leaf can pass for an inner node.

    Source: OpenZeppelin MerkleProof, note on leaves of 64 bytes (second preimage).
    """
    return keccak(keccak(data))


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over `leaves` in the order given; 32 zero bytes if there are none.

    Pairs are sorted before hashing and an odd node moves up unchanged, so that
    OpenZeppelin's ``MerkleProof.verify`` accepts the proofs of `merkle_proof`.
    """
    return _merkle_root(tuple(leaves))


@lru_cache(maxsize=4)
def _merkle_root(leaves: tuple[bytes, ...]) -> bytes:
    # Nodes in one process close the same period one after the other, most often over the same leaves.
    if not leaves:
        return ZERO32
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Siblings of leaf `index`, lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    level, proof = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level, index = _parents(level), index // 2
    return tuple(proof)


def verify_merkle_proof(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """What ``MerkleProof.verify`` computes on chain."""
    node = leaf
    for sibling in proof:
        node = keccak(node + sibling) if node < sibling else keccak(sibling + node)
    return node == root


def _parents(level: list[bytes]) -> list[bytes]:
    parents = [
        keccak(left + right) if left < right else keccak(right + left)
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        parents.append(level[-1])
    return parents
