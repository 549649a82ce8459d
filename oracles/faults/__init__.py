"""Faults on purpose: seeded, pure transformers of what moves between the stages.

    device ──► transport ──► adapter ──► node ──► chain          bank ──► adapter ──► node
      readings   readings     files        nodes    reports        bank
    records: what two parties sign to put a meter right

Each takes a stream and gives a stream; what it does not name it passes on as it came. Chance comes
from the `Random` it is given, so the same seed gives the same bytes.
"""
