"""The tokenised worlds as a model: what the chain would do with a tape, in columns and without a chain.

    Market + TokenisedProfile ──settle──► Outcome (Settlement + Moves)

    gross     one atomic swap a trade; refused swaps are repeated        gross.py
    cycle     everything that waits is netted every so many seconds      cycles.py
    trigger   units locked on chain, cash in a payment system            trigger.py

`rwa_sim.sampling` executes the beginning of a tape through contracts and compares it with this field by field.
"""

from rwa_sim.rails.atomic.profile import TokenisedProfile, load_tokenised, read_tokenised
from rwa_sim.rails.atomic.settle import settle

__all__ = ["TokenisedProfile", "load_tokenised", "read_tokenised", "settle"]
