"""From signed observations to one report: a pure function that every party can repeat.

The aggregator proposes a report *with* the observations it was made from. A node that is asked
to sign makes the report again and compares, so an aggregator can neither add a value of its own
nor leave out the node's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from oracles.config import FeedConfig, address_order
from oracles.eip712 import observation_digest, report_digest
from oracles.errors import QuorumNotReached, ReportRejected
from oracles.hashing import ZERO32
from oracles.keys import recover_address
from oracles.periods import FULL_BPS, Period
from oracles.schema import BORDER, Report, SignedObservation, SignedReport, lower_median

_UINT128_MAX = 2**128 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A report and what it was made from, sent to the nodes for signature."""

    __pydantic_config__ = BORDER

    report: Report
    observations: tuple[SignedObservation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """An observer whose value was not the accepted one. On chain the values have no names."""

    period_id: int
    observer: str
    register_wh: int
    accepted_register_wh: int
    credited_usd6: int
    accepted_credited_usd6: int


def deviations(proposal: Proposal) -> tuple[Deviation, ...]:
    """The observers that a proposal's report does not follow, by address."""
    report = proposal.report
    accepted = (report.register_wh, report.cumulative_credited_usd6)
    return tuple(
        Deviation(
            period_id=report.period_id,
            observer=body.observer,
            register_wh=body.register_wh,
            accepted_register_wh=accepted[0],
            credited_usd6=body.credited_usd6,
            accepted_credited_usd6=accepted[1],
        )
        for body in (signed.observation for signed in proposal.observations)
        if (body.register_wh, body.credited_usd6) != accepted
    )


def equivocators(config: FeedConfig, one: SignedReport, other: SignedReport) -> tuple[str, ...]:
    """Signers that signed two different reports for one asset, period and revision: the proof."""
    keys = [(r.asset_id, r.period_id, r.revision, r.config_digest) for r in (one.report, other.report)]
    digests = [report_digest(config, each.report) for each in (one, other)]
    if keys[0] != keys[1] or digests[0] == digests[1]:
        return ()
    signed = [
        {recover_address(digest, signature) for signature in each.signatures}
        for digest, each in zip(digests, (one, other), strict=True)
    ]
    return tuple(each for each in config.signers if each in signed[0] & signed[1])


def build_report(
    config: FeedConfig,
    period: Period,
    observations: Sequence[SignedObservation],
    *,
    observed_at_s: int,
    ttl_s: int,
    revision: int = 0,
) -> Report:
    """Sort the observers' values into a report; its lower medians are the accepted values.

    With 2f + 1 or more observations of which at most f are false, every lower median lies
    between two honest values. The readings root is the one that more observers than f saw, so an
    honest node holds its readings; 32 zero bytes if there is none.

    Raises:
        ReportRejected: an observation that is not its observer's, is of another period or asset,
            or comes twice.
        QuorumNotReached: fewer observations than the configuration asks for.
    """
    for signed in observations:
        validate_observation(config, period.period_id, revision, signed)
    bodies = [signed.observation for signed in observations]
    if len({body.observer for body in bodies}) != len(bodies):
        raise ReportRejected(rule="one observation per node", period_id=period.period_id)
    if len(bodies) < config.observation_quorum:
        raise QuorumNotReached(
            stage="observations",
            period_id=period.period_id,
            needed=config.observation_quorum,
            got=len(bodies),
        )
    return Report(
        config_digest=config.digest,
        asset_id=config.asset_id,
        period_id=period.period_id,
        revision=revision,
        period_start=period.start_s,
        period_end=period.end_s,
        observed_at=observed_at_s,
        expires_at=observed_at_s + ttl_s,
        completeness_bps=lower_median(tuple(sorted(body.completeness_bps for body in bodies))),
        readings_root=_common_root([body.readings_root for body in bodies], config.fault_tolerance),
        registers_wh=tuple(sorted(body.register_wh for body in bodies)),
        credited_usd6=tuple(sorted(body.credited_usd6 for body in bodies)),
    )


def validate_observation(
    config: FeedConfig, period_id: int, revision: int, signed: SignedObservation
) -> None:
    """Check that an observation is of this asset, period and revision, in range, and its observer's.

    Raises:
        ReportRejected: it is not.
    """
    body = signed.observation
    in_range = (
        0 <= body.register_wh <= _UINT128_MAX
        and 0 <= body.credited_usd6 <= _UINT128_MAX
        and 0 <= body.completeness_bps <= FULL_BPS
        and len(body.readings_root) == 32
    )
    rule = ""
    if body.observer not in config.signers:
        rule = "observer is not a registered signer"
    elif (body.asset_id, body.period_id, body.revision) != (config.asset_id, period_id, revision):
        rule = "observation of another asset, period or revision"
    elif not in_range:
        rule = "observation out of range"
    elif recover_address(observation_digest(config, body), signed.signature) != body.observer:
        rule = "observation not signed by its observer"
    if rule:
        raise ReportRejected(rule=rule, period_id=period_id, detail=f"observer {body.observer}")


def verify_signed_report(config: FeedConfig, signed: SignedReport) -> tuple[str, ...]:
    """Signers of a report, as the contract checks them.

    Raises:
        ReportRejected: another configuration, a signature of a stranger, or not ascending.
        QuorumNotReached: too few signatures.
    """
    report = signed.report
    if report.config_digest != config.digest:
        raise ReportRejected(rule="another configuration", period_id=report.period_id)
    digest = report_digest(config, report)
    signers = tuple(recover_address(digest, signature) or "" for signature in signed.signatures)
    if not set(signers) <= set(config.signers):
        raise ReportRejected(rule="signature of no registered signer", period_id=report.period_id)
    if list(signers) != sorted(set(signers), key=address_order):
        raise ReportRejected(rule="signatures ascend by signer, each once", period_id=report.period_id)
    if len(signers) < config.quorum:
        raise QuorumNotReached(
            stage="signatures", period_id=report.period_id, needed=config.quorum, got=len(signers)
        )
    return signers


def _common_root(roots: Sequence[bytes], fault_tolerance: int) -> bytes:
    # Ties go to the smaller root: any rule would do, as long as every node applies the same.
    root, count = min(Counter(roots).items(), key=lambda item: (-item[1], item[0]))
    return root if count > fault_tolerance else ZERO32
