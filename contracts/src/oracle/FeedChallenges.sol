// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";
import {IReportSink} from "../interfaces/IReportSink.sol";
import {FeedSigners} from "./FeedSigners.sol";

/// @title FeedChallenges
/// @notice The one open report of an asset: its window, the bond against it, the arbiter, the ripcord, and finality.
///
/// OPEN. At most one report of an asset is open. Pending becomes final by time, held and disputed by the arbiter.
/// BONDS. A challenger brings exactly the bond, measured by what arrives. It goes back if the report is rejected, or if
/// the signers concede by a higher revision; it is forfeited if the report stands. A payee that cannot receive is
/// parked and holds nothing up. The feed's balance of a bond token is the bonds of disputed reports and what is parked.
/// FLOORS. A revision that was rejected never comes back, whatever is opened and closed in between.
/// RIPCORD. Stops finality and delivery, not reports, disputes and bonds. Windows run on while it is pulled: a report
/// whose window is over then becomes final as soon as it is reset.
abstract contract FeedChallenges is FeedSigners, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 public constant RIPCORD_ROLE = keccak256("RIPCORD_ROLE");

    /// @dev Three words. Times are at most the block's, so that 48 bits hold them.
    struct Record {
        uint48 periodStart;
        uint48 periodEnd;
        uint48 observedAt;
        uint48 markedAt; // accepted at while open, final at in `_reports`
        uint32 revision;
        uint16 completenessBps;
        uint8 signatureCount;
        uint128 registerWh;
        uint128 creditedUsd6;
        bytes32 readingsRoot;
    }

    /// @dev Means nothing while `Asset.openStatus` is None: it is written over, not cleared, which is cheaper.
    struct Open {
        Record record;
        bytes32 digest;
        address challenger;
        bool isCorrection; // of the last final period; else of the next one
    }

    struct ChallengeTerms {
        address arbiter;
        address bondToken;
        uint128 bondAmount;
        address forfeitTo;
    }

    mapping(bytes32 assetId => mapping(uint64 periodId => Record)) internal _reports;
    mapping(bytes32 assetId => Open) internal _open;
    mapping(bytes32 assetId => ChallengeTerms) internal _challengeTerms;
    mapping(bytes32 assetId => mapping(uint64 periodId => uint64)) internal _leastRevision;

    /// @inheritdoc ICashflowFeed
    mapping(address token => mapping(address payee => uint256)) public parkedBond;

    /// @inheritdoc ICashflowFeed
    function dispute(bytes32 assetId, uint64 periodId, uint32 revision, bytes32 evidence) external nonReentrant {
        Asset storage asset = _assets[assetId];
        Open storage open = _open[assetId];
        _requireStatus(assetId, periodId, Status.Pending);
        _requireRevision(assetId, periodId, revision);
        uint256 until = uint256(open.record.markedAt) + asset.challengeWindowS;
        require(block.timestamp < until, ChallengeWindowOver(assetId, periodId, until, block.timestamp));
        ChallengeTerms storage terms = _challengeTerms[assetId];
        IERC20 token = IERC20(terms.bondToken);
        uint256 amount = terms.bondAmount;

        asset.openStatus = Status.Disputed;
        open.challenger = msg.sender;

        emit ReportDisputed(assetId, periodId, revision, msg.sender, evidence, amount);

        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 arrived = token.balanceOf(address(this)) - before;
        require(arrived == amount, BondNotArrived(arrived, amount));
    }

    /// @inheritdoc ICashflowFeed
    function resolve(bytes32 assetId, uint64 periodId, uint32 revision, bool stands) external nonReentrant {
        ChallengeTerms storage terms = _challengeTerms[assetId];
        require(msg.sender == terms.arbiter, OnlyArbiter(msg.sender, terms.arbiter));
        Status status = statusOf(assetId, periodId);
        require(
            status == Status.Held || status == Status.Disputed,
            WrongStatus(assetId, periodId, status, Status.Disputed)
        );
        _requireRevision(assetId, periodId, revision);
        if (stands) _requireRunning(assetId);
        address challenger = _open[assetId].challenger;

        if (!stands) {
            _assets[assetId].openStatus = Status.Rejected;
            _assets[assetId].hasRejected = true;
            _leastRevision[assetId][periodId] = uint64(revision) + 1;
        }

        emit ReportResolved(assetId, periodId, revision, stands, msg.sender);

        if (stands) _closeFinal(assetId, periodId);
        if (status == Status.Disputed) _payBond(assetId, stands ? terms.forfeitTo : challenger);
    }

    /// @inheritdoc ICashflowFeed
    function releaseBond(address token, address payee) external nonReentrant {
        uint256 amount = parkedBond[token][payee];
        require(amount > 0, NoBondParked(token, payee));

        delete parkedBond[token][payee];

        emit BondReleased(token, payee, amount);

        require(IERC20(token).trySafeTransfer(payee, amount), BondNotReceivable(token, payee, amount));
    }

    /// @inheritdoc ICashflowFeed
    function pullRipcord(bytes32 assetId, bytes32 reason) external onlyRole(RIPCORD_ROLE) {
        require(_assets[assetId].configDigest != 0, UnknownAsset(assetId));
        _requireRunning(assetId);

        _assets[assetId].isRipcordPulled = true;

        emit RipcordSet(assetId, msg.sender, reason);
    }

    /// @inheritdoc ICashflowFeed
    function resetRipcord(bytes32 assetId) external onlyRole(DEFAULT_ADMIN_ROLE) {
        require(_assets[assetId].isRipcordPulled, RipcordNotPulled(assetId));

        _assets[assetId].isRipcordPulled = false;

        emit RipcordReset(assetId, msg.sender);
    }

    /// @inheritdoc ICashflowFeed
    function isRipcordPulled(bytes32 assetId) external view returns (bool) {
        return _assets[assetId].isRipcordPulled;
    }

    /// @inheritdoc ICashflowFeed
    function openReport(bytes32 assetId) external view returns (OpenReport memory report) {
        Asset storage asset = _assets[assetId];
        if (asset.openStatus == Status.None) return report;
        Open storage open = _open[assetId];
        Record storage record = open.record;
        return OpenReport({
            status: asset.openStatus,
            periodId: _openPeriodId(assetId),
            revision: record.revision,
            periodStart: record.periodStart,
            periodEnd: record.periodEnd,
            observedAt: record.observedAt,
            acceptedAt: record.markedAt,
            completenessBps: record.completenessBps,
            registerWh: record.registerWh,
            creditedUsd6: record.creditedUsd6,
            readingsRoot: record.readingsRoot,
            digest: open.digest,
            challenger: open.challenger
        });
    }

    /// @inheritdoc ICashflowFeed
    function statusOf(bytes32 assetId, uint64 periodId) public view returns (Status) {
        Status status = _assets[assetId].openStatus;
        if (status != Status.None && _openPeriodId(assetId) == periodId) return status;
        return _reports[assetId][periodId].periodEnd == 0 ? Status.None : Status.Final;
    }

    /* FINALITY */

    /// @dev The open report becomes final.
    function _closeFinal(bytes32 assetId, uint64 periodId) internal {
        Open storage open = _open[assetId];
        _makeFinal(assetId, periodId, open.record, open.digest, open.isCorrection);
    }

    function _makeFinal(bytes32 assetId, uint64 periodId, Record memory r, bytes32 digest, bool isCorrection)
        internal
    {
        Asset storage asset = _assets[assetId];
        uint128 registerBefore = asset.registerWh;
        uint128 creditedBefore = asset.creditedUsd6;

        asset.openStatus = Status.None;
        // forge-lint: disable-next-line(unsafe-typecast) -- periods come one after another: 48 bits are not counted up
        if (!isCorrection) asset.lastPeriodId = uint48(periodId);
        asset.lastPeriodEnd = r.periodEnd;
        asset.registerWh = r.registerWh;
        asset.creditedUsd6 = r.creditedUsd6;
        r.markedAt = uint48(block.timestamp);
        _reports[assetId][periodId] = r;

        emit ReportFinal(
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

        if (isCorrection) {
            emit ReportCorrected(
                assetId, periodId, r.revision, registerBefore, r.registerWh, creditedBefore, r.creditedUsd6
            );
        } else {
            _deliver(assetId, periodId, r);
        }
    }

    /// @dev The sink is told in a call of its own, so that its failure cannot undo the report.
    function _deliver(bytes32 assetId, uint64 periodId, Record memory r) internal {
        address sink = _assets[assetId].sink;
        if (sink == address(0)) return;

        try IReportSink(sink).onFinalReport(
            assetId, periodId, r.periodStart, r.periodEnd, r.registerWh, r.creditedUsd6
        ) {} catch (bytes memory reason) {
            emit DeliveryFailed(assetId, periodId, reason);
        }
    }

    /* BONDS AND CHECKS */

    function _payBond(bytes32 assetId, address payee) internal {
        address token = _challengeTerms[assetId].bondToken;
        uint256 amount = _challengeTerms[assetId].bondAmount;
        if (IERC20(token).trySafeTransfer(payee, amount)) {
            emit BondPaid(token, payee, amount);
            return;
        }

        parkedBond[token][payee] += amount;

        emit BondParked(token, payee, amount);
    }

    function _openPeriodId(bytes32 assetId) internal view returns (uint64) {
        uint64 last = _assets[assetId].lastPeriodId;
        return _open[assetId].isCorrection ? last : last + 1;
    }

    function _requireStatus(bytes32 assetId, uint64 periodId, Status expected) internal view {
        Status actual = statusOf(assetId, periodId);
        require(actual == expected, WrongStatus(assetId, periodId, actual, expected));
    }

    function _requireRevision(bytes32 assetId, uint64 periodId, uint32 revision) private view {
        uint32 open = _open[assetId].record.revision;
        require(revision == open, WrongRevision(assetId, periodId, revision, open));
    }

    function _requireRunning(bytes32 assetId) internal view {
        require(!_assets[assetId].isRipcordPulled, RipcordPulled(assetId));
    }
}
