"""One case of a class, and the cases that are a change of the stream of readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from oracles.keys import SecretKey
from oracles.schema import MeterReading
from rwa_sim.chain.signing import derive_account
from rwa_sim.oracle_faults.setup import Kit, Setup

# May sign for a meter: its operator and an auditor. They are no part of a run's seed.
PARTIES = tuple(SecretKey(derive_account(0, name).key) for name in ("operator", "auditor"))
PARTY_ADDRESSES = tuple(party.address for party in PARTIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way a class happens.

    Attributes:
        truth: the setup that pays what is right, where that is not simply the series.
        is_measured: no rule can bring its loss to 0; the loss is the result.
        recovers: how money that was paid too early comes back, where nobody could know before.
        not_yet: what is missing where the path has no full answer.
    """

    number: int
    letter: str
    text: str
    setup: Setup
    truth: Setup | None = None
    is_measured: bool = False
    recovers: str = ""
    not_yet: str = ""

    @property
    def key(self) -> str:
        """Such as 4b."""
        return f"{self.number}{self.letter}"


def reading_case(
    number: int,
    letter: str,
    text: str,
    injector: Callable[..., Iterable[MeterReading]],
    *,
    setup: Mapping[str, Any] | None = None,
    **terms: Any,
) -> Case:
    """A case on the stream of readings; key and chance are added where the injector asks for them."""
    asks = injector.__code__.co_varnames

    def spoil(readings: Iterable[MeterReading], kit: Kit) -> Iterable[MeterReading]:
        given = {"key": kit.key, "rng": kit.rng}
        used = {name: value for name, value in given.items() if name in asks}
        return injector(readings, **(used | terms))

    return Case(number=number, letter=letter, text=text, setup=Setup(readings=spoil, **(setup or {})))
