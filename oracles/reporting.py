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
from oracles.schema import Report, SignedObservation, SignedReport, lower_median

_UINT128_MAX = 2**128 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A report and what it was made from, sent to the nodes for signature."""

    report: Report
    observations: tuple[SignedObservation, ...]


def build_report(
    config: FeedConfig,
    period: Period,
    observations: Sequence[SignedObservation],
    *,
    observed_at_s: int,
    ttl_s: int,
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
        validate_observation(config, period.period_id, signed)
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
        period_start=period.start_s,
        period_end=period.end_s,
        observed_at=observed_at_s,
        expires_at=observed_at_s + ttl_s,
        completeness_bps=lower_median(tuple(sorted(body.completeness_bps for body in bodies))),
        readings_root=_common_root([body.readings_root for body in bodies], config.fault_tolerance),
        registers_wh=tuple(sorted(body.register_wh for body in bodies)),
        credited_usd6=tuple(sorted(body.credited_usd6 for body in bodies)),
    )


def validate_observation(config: FeedConfig, period_id: int, signed: SignedObservation) -> None:
    """Check that an observation is of this asset and period, in range, and its observer's.

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
    elif (body.asset_id, body.period_id) != (config.asset_id, period_id):
        rule = "observation of another asset or period"
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
