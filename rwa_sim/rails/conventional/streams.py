"""One seeded generator for each purpose, so that a change in one draw leaves the others as they were."""

from __future__ import annotations

import hashlib

from numpy.random import PCG64, Generator


def stream(rng_seed: str, purpose: str) -> Generator:
    """The generator of a purpose under a seed text such as "20261120:3:EU-T2-T2S"."""
    digest = hashlib.sha256(f"{rng_seed}:{purpose}".encode()).digest()
    return Generator(PCG64(int.from_bytes(digest, "big")))
