"""Random numbers by purpose: a change in what one purpose draws leaves the others as they were."""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def stream(rng_seed: str, purpose: str) -> np.random.Generator:
    """The generator of one purpose; same texts, same numbers on every machine."""
    digest = sha256(f"{rng_seed}:{purpose}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
