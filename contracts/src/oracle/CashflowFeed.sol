// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";
import {FeedChallenges} from "./FeedChallenges.sol";
import {ALL_BPS, FeedSigners} from "./FeedSigners.sol";

uint64 constant MAX_REVISION_STEP = 1_000; // revisions left out at once
uint256 constant NAMEPLATE_PERCENT = 102; // meters and clocks are not exact
uint256 constant WH_PER_MWH = 1e6;

/// @title CashflowFeed
/// @notice Turns m-of-n signed observations into one final report per asset and period.
///
/// LIFE. registerAsset -> transmit (period 1, 2, 3, ...) -> Final -> sink. With a window or an exceeded bound:
/// transmit -> Pending -> finalise, or Held or Disputed -> resolve -> Final or Rejected -> a higher revision.
/// VALUE. The lower median of the observers' cumulative values: with at least 2f+1 observations it lies
/// within the honest range, and of two middle values the one that pays less is taken (rule of OCR2, with
/// the lower instead of the upper median).
/// BOUNDS. They hold a report, they do not clamp it: what is paid is what was signed, or nothing. Energy is bounded by
/// the nameplate over the period; cash by energy since registration times the highest price, cumulative, so that cash
/// that comes late is no breach.
/// CORRECTIONS. A higher revision of the last final period replaces its values. What was paid stays paid: values are
/// cumulative, so the next period's coupon trues it up. The base of a correction is the period before it, and it may
/// therefore lower a watermark that was wrongly accepted.
/// LIVENESS. A sink that reverts cannot hold a report back: the report stays final, anyone may deliver
/// it again. A signer set that cannot reach the quorum stops the feed; nothing is paid on old values. A held or
/// disputed report waits for the arbiter or for a higher revision.
/// ROLES. Admin registers assets, rotates signers, resets the ripcord. RIPCORD pulls it. The arbiter of an asset
/// decides on its held and disputed reports. No role can write a report.
/// ROUNDINGS. Both bounds are rounded down; the nameplate's gets one watt-hour more, for the register's own rounding.
contract CashflowFeed is FeedChallenges {
    /// @dev The values a report is held against.
    struct Base {
        bool isCorrection;
        uint128 registerWh;
        uint128 creditedUsd6;
    }

    /// @param admin Account that registers assets.
    constructor(address admin) EIP712("CashflowFeed", "1") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc ICashflowFeed
    function registerAsset(bytes32 assetId, AssetConfig calldata config) external onlyRole(DEFAULT_ADMIN_ROLE) {
        Asset storage asset = _assets[assetId];
        require(asset.configDigest == 0, AssetAlreadyRegistered(assetId));
        _requireSigners(config.signers, config.quorum, config.faultTolerance);
        // `try` does not catch a call to an address without code: such a sink would hold every report back
        require(config.sink == address(0) || config.sink.code.length > 0, InvalidConfig("sink", 0, 1));
        _requireTerms(config);

        asset.lastPeriodEnd = uint48(config.firstPeriodStart);
        asset.hasRateBound = config.nameplateW > 0 || config.priceCeilingUsd6PerMwh > 0;
        asset.minCompletenessBps = config.minCompletenessBps;
        asset.challengeWindowS = config.challengeWindowS;
        asset.registerWh = config.firstRegisterWh;
        asset.sink = config.sink;
        asset.nameplateW = config.nameplateW;
        asset.firstRegisterWh = config.firstRegisterWh;
        asset.priceCeilingUsd6PerMwh = config.priceCeilingUsd6PerMwh;
        asset.unit = config.unit;
        _challengeTerms[assetId] =
            ChallengeTerms(config.arbiter, config.bondToken, config.bondAmount, config.forfeitTo);
        (bytes32 digest,) = _setSigners(assetId, config.signers, config.quorum, config.faultTolerance);

        emit AssetRegistered(assetId, digest, config.quorum, config.signers.length, config.sink, config);
    }

    /// @inheritdoc ICashflowFeed
    function transmit(Report calldata report, bytes[] calldata signatures) external nonReentrant {
        _requireConfig(report);
        Asset storage asset = _assets[report.assetId];
        Base memory base = _requirePlace(asset, report);
        _requireTimes(report);
        _requireObservations(asset, report);
        Record memory r = _record(report, signatures.length);
        require(r.registerWh >= base.registerWh, RegisterDecreased(report.assetId, r.registerWh, base.registerWh));
        require(
            r.creditedUsd6 >= base.creditedUsd6,
            CreditDecreased(report.assetId, r.creditedUsd6, base.creditedUsd6)
        );
        bytes32 digest = reportDigest(report);
        _requireSignatures(asset, digest, signatures);
        (bytes32 what, uint256 actual, uint256 bound) = _exceeded(asset, r, base);
        bool concedes = asset.openStatus == Status.Disputed;
        address challenger = concedes ? _open[report.assetId].challenger : address(0);

        if (what == 0 && asset.challengeWindowS == 0 && !asset.isRipcordPulled) {
            _makeFinal(report.assetId, report.periodId, r, digest, base.isCorrection);
        } else {
            _openNew(report.assetId, report.periodId, r, digest, base.isCorrection, what, actual, bound);
        }
        if (concedes) _payBond(report.assetId, challenger);
    }

    /// @inheritdoc ICashflowFeed
    function finalise(bytes32 assetId, uint64 periodId) external nonReentrant {
        _requireStatus(assetId, periodId, Status.Pending);
        uint256 until = uint256(_open[assetId].record.markedAt) + _assets[assetId].challengeWindowS;
        require(block.timestamp >= until, ChallengeWindowOpen(assetId, periodId, until, block.timestamp));
        _requireRunning(assetId);

        _closeFinal(assetId, periodId);
    }

    /// @inheritdoc ICashflowFeed
    function deliver(bytes32 assetId, uint64 periodId) external nonReentrant {
        require(_reports[assetId][periodId].periodEnd != 0, NothingToDeliver(assetId, periodId));
        _requireRunning(assetId);

        _deliver(assetId, periodId, _reports[assetId][periodId]);
    }

    /// @inheritdoc ICashflowFeed
    function lastPeriodId(bytes32 assetId) external view returns (uint64) {
        return _assets[assetId].lastPeriodId;
    }

    /// @inheritdoc ICashflowFeed
    function finalReport(bytes32 assetId, uint64 periodId) external view returns (FinalReport memory) {
        Record storage r = _reports[assetId][periodId];
        return FinalReport({
            periodStart: r.periodStart,
            periodEnd: r.periodEnd,
            observedAt: r.observedAt,
            completenessBps: r.completenessBps,
            registerWh: r.registerWh,
            creditedUsd6: r.creditedUsd6,
            readingsRoot: r.readingsRoot,
            revision: r.revision,
            finalisedAt: r.markedAt
        });
    }

    /// @inheritdoc ICashflowFeed
    function assetState(bytes32 assetId) external view returns (AssetState memory) {
        Asset storage asset = _assets[assetId];
        return AssetState({
            lastPeriodId: asset.lastPeriodId,
            lastPeriodEnd: asset.lastPeriodEnd,
            registerWh: asset.registerWh,
            creditedUsd6: asset.creditedUsd6,
            openStatus: asset.openStatus,
            isRipcordPulled: asset.isRipcordPulled
        });
    }

    /// @inheritdoc ICashflowFeed
    function assetTerms(bytes32 assetId) external view returns (AssetTerms memory) {
        Asset storage asset = _assets[assetId];
        ChallengeTerms storage terms = _challengeTerms[assetId];
        return AssetTerms({
            sink: asset.sink,
            firstRegisterWh: asset.firstRegisterWh,
            nameplateW: asset.nameplateW,
            priceCeilingUsd6PerMwh: asset.priceCeilingUsd6PerMwh,
            minCompletenessBps: asset.minCompletenessBps,
            challengeWindowS: asset.challengeWindowS,
            arbiter: terms.arbiter,
            bondToken: terms.bondToken,
            bondAmount: terms.bondAmount,
            forfeitTo: terms.forfeitTo
        });
    }

    /* REPORT */

    /// @dev The report waits, in the place of one that was open or rejected.
    function _openNew(
        bytes32 assetId,
        uint64 periodId,
        Record memory r,
        bytes32 digest,
        bool isCorrection,
        bytes32 what,
        uint256 actual,
        uint256 bound
    ) private {
        _assets[assetId].openStatus = what == 0 ? Status.Pending : Status.Held;
        _open[assetId] = Open({record: r, digest: digest, challenger: address(0), isCorrection: isCorrection});

        emit ReportOpened(
            assetId,
            periodId,
            digest,
            r.revision,
            r.periodStart,
            r.periodEnd,
            r.observedAt,
            r.registerWh,
            r.creditedUsd6,
            r.completenessBps,
            r.readingsRoot,
            r.signatureCount
        );
        if (what != 0) emit ReportHeld(assetId, periodId, r.revision, what, actual, bound);
    }

    /// @dev Called with times that `_requireTimes` has bounded by the block's, and counts bounded by the signers'.
    function _record(Report calldata report, uint256 signatureCount) private view returns (Record memory) {
        return Record({
            periodStart: uint48(report.periodStart),
            periodEnd: uint48(report.periodEnd),
            observedAt: uint48(report.observedAt),
            markedAt: uint48(block.timestamp),
            revision: report.revision,
            completenessBps: report.completenessBps,
            // forge-lint: disable-next-line(unsafe-typecast) -- more than MAX_SIGNERS are refused
            signatureCount: uint8(signatureCount),
            registerWh: _lowerMedian(report.registersWh),
            creditedUsd6: _lowerMedian(report.creditedUsd6),
            readingsRoot: report.readingsRoot
        });
    }

    /// @dev Which bound is exceeded, if any.
    function _exceeded(Asset storage asset, Record memory r, Base memory base)
        private
        view
        returns (bytes32 what, uint256 actual, uint256 bound)
    {
        if (r.completenessBps < asset.minCompletenessBps) {
            return ("completeness", r.completenessBps, asset.minCompletenessBps);
        }
        if (!asset.hasRateBound) return (0, 0, 0);
        if (asset.nameplateW > 0) {
            actual = r.registerWh - base.registerWh;
            bound = uint256(asset.nameplateW) * (r.periodEnd - r.periodStart) * NAMEPLATE_PERCENT / (1 hours * 100) + 1;
            if (actual > bound) return ("nameplate", actual, bound);
        }
        if (asset.priceCeilingUsd6PerMwh > 0) {
            actual = r.creditedUsd6;
            bound = uint256(r.registerWh - asset.firstRegisterWh) * asset.priceCeilingUsd6PerMwh / WH_PER_MWH;
            if (actual > bound) return ("price", actual, bound);
        }
        return (0, 0, 0);
    }

    /* CHECKS */

    /// @dev Which period and revision may come now, and what its values are held against.
    function _requirePlace(Asset storage asset, Report calldata report) private view returns (Base memory base) {
        bytes32 assetId = report.assetId;
        uint64 periodId = report.periodId;
        uint64 last = asset.lastPeriodId;
        require(periodId > 0 && periodId >= last, StaleReport(assetId, periodId, report.revision, last, 0));
        require(periodId <= last + 1, PeriodGap(assetId, periodId, last + 1));
        base.isCorrection = periodId == last;
        _requireRising(asset, report, base.isCorrection, last);

        if (!base.isCorrection) {
            require(
                report.periodStart == asset.lastPeriodEnd,
                PeriodNotContiguous(assetId, report.periodStart, asset.lastPeriodEnd)
            );
            require(report.periodEnd > report.periodStart, PeriodEmpty(report.periodStart, report.periodEnd));
            base.registerWh = asset.registerWh;
            base.creditedUsd6 = asset.creditedUsd6;
            return base;
        }
        uint64 start = _reports[assetId][last].periodStart;
        require(report.periodStart == start, PeriodNotContiguous(assetId, report.periodStart, start));
        require(
            report.periodEnd == asset.lastPeriodEnd, PeriodEndMoved(assetId, report.periodEnd, asset.lastPeriodEnd)
        );
        Record storage before = _reports[assetId][last - 1];
        base.registerWh = last == 1 ? asset.firstRegisterWh : before.registerWh;
        base.creditedUsd6 = before.creditedUsd6; // none before period 1
    }

    function _requireRising(Asset storage asset, Report calldata report, bool isCorrection, uint64 last)
        private
        view
    {
        bytes32 assetId = report.assetId;
        uint256 least = isCorrection ? uint256(_reports[assetId][last].revision) + 1 : 0;
        Status status = asset.openStatus;
        if (status != Status.None && status != Status.Rejected) {
            Open storage open = _open[assetId];
            require(
                open.isCorrection == isCorrection, OtherReportOpen(assetId, open.isCorrection ? last : last + 1, status)
            );
            least = Math.max(least, uint256(open.record.revision) + 1);
        }
        if (asset.hasRejected) least = Math.max(least, _leastRevision[assetId][report.periodId]);
        uint256 most = least + MAX_REVISION_STEP;
        require(
            report.revision >= least,
            StaleReport(assetId, report.periodId, report.revision, last, uint64(least))
        );
        require(report.revision <= most, RevisionOutOfReach(report.revision, uint64(most)));
    }

    function _requireTimes(Report calldata report) private view {
        require(report.observedAt >= report.periodEnd, PeriodNotOver(report.observedAt, report.periodEnd));
        require(report.observedAt <= block.timestamp, ReportFromFuture(report.observedAt, block.timestamp));
        require(report.expiresAt >= block.timestamp, ReportExpired(report.expiresAt, block.timestamp));
        require(report.completenessBps <= ALL_BPS, CompletenessOutOfRange(report.completenessBps, ALL_BPS));
    }

    function _requireObservations(Asset storage asset, Report calldata report) private view {
        uint256 count = report.registersWh.length;
        require(
            count >= asset.minObservations && count <= asset.signerCount,
            WrongObservationCount(count, asset.minObservations, asset.signerCount)
        );
        require(report.creditedUsd6.length == count, WrongObservationCount(report.creditedUsd6.length, count, count));
        for (uint256 i = 1; i < count; ++i) {
            bool sorted = report.registersWh[i - 1] <= report.registersWh[i]
                && report.creditedUsd6[i - 1] <= report.creditedUsd6[i];
            require(sorted, ObservationsNotSorted(i));
        }
    }

    function _requireTerms(AssetConfig calldata config) private view {
        require(
            config.firstPeriodStart <= type(uint48).max,
            InvalidConfig("firstPeriodStart", config.firstPeriodStart, type(uint48).max)
        );
        require(
            config.minCompletenessBps <= ALL_BPS, InvalidConfig("completeness", config.minCompletenessBps, ALL_BPS)
        );
        bool mayHold = config.nameplateW > 0 || config.priceCeilingUsd6PerMwh > 0 || config.minCompletenessBps > 0;
        if (mayHold || config.challengeWindowS > 0) {
            require(config.arbiter != address(0), InvalidConfig("arbiter", 0, 1));
        }
        if (config.challengeWindowS == 0) return;
        require(config.bondToken.code.length > 0, InvalidConfig("bondToken", 0, 1));
        require(config.bondAmount > 0, InvalidConfig("bondAmount", 0, 1));
        require(config.forfeitTo != address(0), InvalidConfig("forfeitTo", 0, 1));
    }

    function _lowerMedian(uint128[] calldata sorted) private pure returns (uint128) {
        return sorted[(sorted.length - 1) / 2];
    }
}
