"""A signer node that a crash at any instant leaves as if it had only been slow.

    what happens ──► Journal ──► SignerNode          (living)
                     Journal ──► SignerNode          (starting again: the same entries, the same node)

A signer node is a pure function of what it was told, in which order. So the journal holds what it was
told, each entry written before it acts; starting again is telling it the same once more. A signature is
on disk before it leaves. Only new things are written: a reading that comes again, or a question whose
answer has not changed, adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from oracles.correction import SignedCorrection
from oracles.errors import OracleRefusal
from oracles.exchange import SignedExchange
from oracles.node.journal import Journal
from oracles.node.messages import from_json, to_json
from oracles.registry import MeterSpec
from oracles.reporting import Proposal
from oracles.schema import BORDER, CashflowEvent, MeterReading, Report, SignedObservation, SignedReport
from oracles.signer import InMemoryLastSigned, SignerNode
from rwa_sim.errors import InputError, RwaError

_SIGNATURE_BYTES = 65
_TIME_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A question for a period's observation, as the journal keeps it."""

    __pydantic_config__ = BORDER

    period_id: int
    observed_at_s: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the operator decided on a period, and why."""

    __pydantic_config__ = BORDER

    period_id: int
    reason: str


class DurableNode:
    """A `SignerNode` behind a journal. Every method is that of the node, written down before it acts.

    Args:
        make: makes the node that has been told nothing yet, with the store given.

    Attributes:
        node: the node itself, to be read only.
        replayed_count: entries that it was told again when it started.
    """

    def __init__(self, journal: Journal, make: Callable[[InMemoryLastSigned], SignerNode]) -> None:
        self._journal = journal
        self.node = make(InMemoryLastSigned())
        self._unanswered: tuple[Look, OracleRefusal] | None = None
        self.replayed_count = 0
        for _, kind, body in journal.entries():
            self._replay(kind, body)
            self.replayed_count += 1

    @property
    def address(self) -> str:
        """The node's address."""
        return self.node.address

    def receive(self, reading: MeterReading, *, held: bool = False) -> bool:
        """Keep a verified or unverified reading; returns whether it was new to the journal.

        Args:
            held: it is on disk after `settle`, or after anything else that this node is asked; until then
                nobody may be told that it is kept.
        """
        if reading.meter_id not in self.node.trackers or len(reading.signature) != _SIGNATURE_BYTES:
            return bool(self.node.receive([reading]))  # counted as refused; nothing to keep
        key = f"{reading.meter_id}:{reading.seq}:{sha256(reading.raw).hexdigest()[:32]}"
        if not self._written("reading", keep_reading(reading), key=key, held=held):
            return False
        self.node.receive([reading])
        return True

    def settle(self) -> None:
        """Bring to disk what is held.

        Raises:
            EnvironmentFault: it cannot be written. This node is then ahead of its journal, which takes
                nothing more: it is to be started again.
        """
        self._journal.commit()

    def receive_credit(self, event: CashflowEvent) -> bool:
        """See `SignerNode.receive_credit`."""
        body = to_json(event)
        if not self._written("credit", body, key=f"credit:{sha256(body).hexdigest()}"):
            return False
        return self.node.receive_credit(event)

    def receive_exchange(self, signed: SignedExchange) -> None:
        """See `SignerNode.receive_exchange`."""
        body = to_json(signed)
        if self._written("exchange", body, key=f"exchange:{sha256(body).hexdigest()}"):
            self.node.receive_exchange(signed)

    def receive_correction(self, signed: SignedCorrection) -> None:
        """See `SignerNode.receive_correction`."""
        body = to_json(signed)
        if self._written("correction", body, key=f"correction:{sha256(body).hexdigest()}"):
            self.node.receive_correction(signed)

    def observe(self, period_id: int, *, observed_at_s: int, revision: int = 0) -> SignedObservation:
        """See `SignerNode.observe`."""
        look = Look(period_id=period_id, observed_at_s=observed_at_s, revision=revision)
        known = self.node.observation(period_id, revision)
        if known is not None:
            return known
        if self._unanswered is not None and self._unanswered[0] == look:
            raise self._unanswered[1]  # nothing has come in since
        self._written("observe", to_json(look))
        try:
            return self.node.observe(period_id, observed_at_s=observed_at_s, revision=revision)
        except OracleRefusal as refusal:
            self._unanswered = look, refusal
            raise

    def sign(self, proposal: Proposal) -> bytes:
        """See `SignerNode.sign`: the report is on disk before its signature leaves."""
        signature = self.node.sign(proposal)
        key = _signed_key(proposal.report)
        self._journal.append("signed", to_json(proposal.report), key=key, durable=True)
        return signature

    def accept_final(self, signed: SignedReport) -> None:
        """See `SignerNode.accept_final`; the one that is final already is taken again silently."""
        if self.node.final == signed.report:
            return
        self.node.accept_final(signed)
        self._written("final", to_json(signed))

    def release(self, period_id: int, reason: str) -> None:
        """See `SignerNode.release`."""
        self.node.release(period_id, reason)
        self._written("release", to_json(Decision(period_id=period_id, reason=reason)))

    def reopen(self, period_id: int, reason: str) -> None:
        """See `SignerNode.reopen`."""
        self.node.reopen(period_id, reason)
        self._written("reopen", to_json(Decision(period_id=period_id, reason=reason)))

    def _written(self, kind: str, body: bytes, *, key: str | None = None, held: bool = False) -> bool:
        self._unanswered = None
        return self._journal.append(kind, body, key=key, held=held)

    def _replay(self, kind: str, body: bytes) -> None:
        where = f"{self._journal.path}: {kind}"
        try:
            self._tell(kind, body, where)
        except InputError as error:
            if error.where == where:
                raise  # the journal itself cannot be read
        except RwaError:
            pass  # what was refused then is refused again

    def _tell(self, kind: str, body: bytes, where: str) -> None:
        node = self.node
        if kind == "reading":
            specs = {name: tracker.spec for name, tracker in node.trackers.items()}
            node.receive([told_reading(body, specs)])
        elif kind == "credit":
            node.receive_credit(from_json(CashflowEvent, body, where=where))
        elif kind == "exchange":
            node.receive_exchange(from_json(SignedExchange, body, where=where))
        elif kind == "correction":
            node.receive_correction(from_json(SignedCorrection, body, where=where))
        elif kind == "observe":
            look = from_json(Look, body, where=where)
            node.observe(look.period_id, observed_at_s=look.observed_at_s, revision=look.revision)
        elif kind == "signed":
            node.remember_signed(from_json(Report, body, where=where))
        elif kind == "final":
            node.accept_final(from_json(SignedReport, body, where=where))
        elif kind in ("release", "reopen"):
            decision = from_json(Decision, body, where=where)
            (node.release if kind == "release" else node.reopen)(decision.period_id, decision.reason)
        else:
            raise InputError(where=where, key="kind", expected="an entry of this version", got=kind)


def keep_reading(reading: MeterReading) -> bytes:
    """A reading as the journal keeps it: when it came, whose it is, and the signed bytes."""
    return (
        reading.received_at_s.to_bytes(_TIME_BYTES, "big")
        + reading.meter_id.encode("ascii", "replace")
        + b"\0"
        + reading.signature
        + reading.raw
    )


def told_reading(body: bytes, specs: Mapping[str, MeterSpec]) -> MeterReading:
    """The reading of a journal's entry.

    Raises:
        MalformedReading: it is none of its meter's.
    """
    received_at_s = int.from_bytes(body[:_TIME_BYTES], "big")
    name, _, rest = body[_TIME_BYTES:].partition(b"\0")
    signature, raw = rest[:_SIGNATURE_BYTES], rest[_SIGNATURE_BYTES:]
    return specs[name.decode("ascii")].parse(raw, signature, received_at_s=received_at_s)


def _signed_key(report: Report) -> str:
    return f"signed:{report.period_id}:{report.revision}"
