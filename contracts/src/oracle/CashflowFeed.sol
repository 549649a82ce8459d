// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";
import {IReportSink} from "../interfaces/IReportSink.sol";

uint256 constant MAX_SIGNERS = 31;
uint16 constant ALL_BPS = 10_000; // every interval of the period was measured

/// @title CashflowFeed
/// @notice Turns m-of-n signed observations into one final report per asset and period.
///
/// LIFE. registerAsset -> transmit (period 1, 2, 3, ...) -> sink.
/// VALUE. The lower median of the observers' cumulative values: with at least 2f+1 observations it lies
/// within the honest range, and of two middle values the one that pays less is taken (rule of OCR2, with
/// the lower instead of the upper median).
/// LIVENESS. A sink that reverts cannot hold a report back: the report stays final, anyone may deliver
/// it again. A signer set that cannot reach the quorum stops the feed; nothing is paid on old values.
/// ROLES. Admin registers assets. No role can write a report.
contract CashflowFeed is ICashflowFeed, EIP712, AccessControl {
    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(bytes32 configDigest,bytes32 assetId,uint64 periodId,uint32 revision,uint64 periodStart,"
        "uint64 periodEnd,uint64 observedAt,uint64 expiresAt,uint16 completenessBps,bytes32 readingsRoot,"
        "uint128[] registersWh,uint128[] creditedUsd6)"
    );

    struct Asset {
        bytes32 configDigest;
        uint8 quorum;
        uint8 signerCount;
        uint8 minObservations; // 2f + 1
        uint64 lastPeriodId;
        uint64 lastPeriodEnd; // [UTC seconds]
        address sink;
        uint128 registerWh; // [Wh, cumulative]
        uint128 creditedUsd6; // [1e6, cumulative]
    }

    mapping(bytes32 assetId => Asset) private _assets;
    mapping(bytes32 assetId => mapping(address signer => bool)) private _isSigner;
    mapping(bytes32 assetId => mapping(uint64 periodId => FinalReport)) private _reports;

    /// @param admin Account that registers assets.
    constructor(address admin) EIP712("CashflowFeed", "1") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc ICashflowFeed
    function registerAsset(bytes32 assetId, AssetConfig calldata config) external onlyRole(DEFAULT_ADMIN_ROLE) {
        uint256 count = config.signers.length;
        require(_assets[assetId].configDigest == 0, AssetAlreadyRegistered(assetId));
        require(count <= MAX_SIGNERS, InvalidConfig("signers", count, MAX_SIGNERS));
        require(
            count > 3 * uint256(config.faultTolerance),
            InvalidConfig("signers", count, 3 * uint256(config.faultTolerance) + 1)
        );
        require(
            config.quorum > config.faultTolerance,
            InvalidConfig("quorum", config.quorum, uint256(config.faultTolerance) + 1)
        );
        require(config.quorum <= count, InvalidConfig("quorum", config.quorum, count));
        // `try` does not catch a call to an address without code: such a sink would hold every report back
        require(config.sink == address(0) || config.sink.code.length > 0, InvalidConfig("sink", 0, 1));
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            require(config.signers[i] > previous, SignersNotAscending(previous, config.signers[i]));
            previous = config.signers[i];
            _isSigner[assetId][previous] = true;
        }

        bytes32 digest = keccak256(
            abi.encode(
                block.chainid,
                address(this),
                assetId,
                uint32(1),
                config.signers,
                config.quorum,
                config.faultTolerance,
                config.unit
            )
        );
        Asset storage asset = _assets[assetId];
        asset.configDigest = digest;
        asset.quorum = config.quorum;
        // forge-lint: disable-next-line(unsafe-typecast) -- count <= MAX_SIGNERS
        asset.signerCount = uint8(count);
        asset.minObservations = 2 * config.faultTolerance + 1;
        asset.lastPeriodEnd = config.firstPeriodStart;
        asset.sink = config.sink;

        emit AssetRegistered(assetId, digest, config.quorum, count, config.sink);
    }

    /// @inheritdoc ICashflowFeed
    function transmit(Report calldata report, bytes[] calldata signatures) external {
        Asset storage asset = _assets[report.assetId];
        _requirePeriod(asset, report);
        _requireTimes(report);
        _requireObservations(asset, report);
        uint128 registerWh = _lowerMedian(report.registersWh);
        uint128 creditedUsd6 = _lowerMedian(report.creditedUsd6);
        require(registerWh >= asset.registerWh, RegisterDecreased(report.assetId, registerWh, asset.registerWh));
        require(creditedUsd6 >= asset.creditedUsd6, CreditDecreased(report.assetId, creditedUsd6, asset.creditedUsd6));
        bytes32 digest = reportDigest(report);
        _requireSignatures(asset, report.assetId, digest, signatures);

        asset.lastPeriodId = report.periodId;
        asset.lastPeriodEnd = report.periodEnd;
        asset.registerWh = registerWh;
        asset.creditedUsd6 = creditedUsd6;
        _reports[report.assetId][report.periodId] = FinalReport({
            periodStart: report.periodStart,
            periodEnd: report.periodEnd,
            observedAt: report.observedAt,
            completenessBps: report.completenessBps,
            registerWh: registerWh,
            creditedUsd6: creditedUsd6,
            readingsRoot: report.readingsRoot
        });

        emit ReportFinal(
            report.assetId,
            report.periodId,
            digest,
            report.periodStart,
            report.periodEnd,
            registerWh,
            creditedUsd6,
            report.completenessBps,
            report.readingsRoot,
            signatures.length
        );

        _deliver(report.assetId, report.periodId);
    }

    /// @inheritdoc ICashflowFeed
    function deliver(bytes32 assetId, uint64 periodId) external {
        require(_reports[assetId][periodId].periodEnd != 0, NothingToDeliver(assetId, periodId));

        _deliver(assetId, periodId);
    }

    /// @inheritdoc ICashflowFeed
    function configDigest(bytes32 assetId) external view returns (bytes32) {
        return _assets[assetId].configDigest;
    }

    /// @inheritdoc ICashflowFeed
    function lastPeriodId(bytes32 assetId) external view returns (uint64) {
        return _assets[assetId].lastPeriodId;
    }

    /// @inheritdoc ICashflowFeed
    function finalReport(bytes32 assetId, uint64 periodId) external view returns (FinalReport memory) {
        return _reports[assetId][periodId];
    }

    /// @inheritdoc ICashflowFeed
    function reportDigest(Report calldata report) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    REPORT_TYPEHASH,
                    report.configDigest,
                    report.assetId,
                    report.periodId,
                    report.revision,
                    report.periodStart,
                    report.periodEnd,
                    report.observedAt,
                    report.expiresAt,
                    report.completenessBps,
                    report.readingsRoot,
                    // EIP-712 pads array members to 32 bytes, which is what encodePacked does for arrays
                    keccak256(abi.encodePacked(report.registersWh)),
                    keccak256(abi.encodePacked(report.creditedUsd6))
                )
            )
        );
    }

    /// @dev The sink is told in a call of its own, so that its failure cannot undo the report.
    function _deliver(bytes32 assetId, uint64 periodId) private {
        address sink = _assets[assetId].sink;
        if (sink == address(0)) return;

        FinalReport storage report = _reports[assetId][periodId];
        try IReportSink(sink).onFinalReport(
            assetId, periodId, report.periodStart, report.periodEnd, report.registerWh, report.creditedUsd6
        ) {} catch (bytes memory reason) {
            emit DeliveryFailed(assetId, periodId, reason);
        }
    }

    function _requirePeriod(Asset storage asset, Report calldata report) private view {
        bytes32 assetId = report.assetId;
        require(asset.configDigest != 0, UnknownAsset(assetId));
        require(
            report.configDigest == asset.configDigest,
            ConfigDigestMismatch(assetId, report.configDigest, asset.configDigest)
        );
        require(report.periodId > asset.lastPeriodId, StaleReport(assetId, report.periodId, asset.lastPeriodId));
        require(report.periodId == asset.lastPeriodId + 1, PeriodGap(assetId, report.periodId, asset.lastPeriodId + 1));
        require(
            report.periodStart == asset.lastPeriodEnd,
            PeriodNotContiguous(assetId, report.periodStart, asset.lastPeriodEnd)
        );
        require(report.periodEnd > report.periodStart, PeriodEmpty(report.periodStart, report.periodEnd));
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

    function _requireSignatures(Asset storage asset, bytes32 assetId, bytes32 digest, bytes[] calldata signatures)
        private
        view
    {
        uint256 count = signatures.length;
        require(
            count >= asset.quorum && count <= asset.signerCount,
            WrongNumberOfSignatures(count, asset.quorum, asset.signerCount)
        );
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            require(_isSigner[assetId][signer], UnregisteredSigner(signer));
            require(signer > previous, SignersNotAscending(previous, signer));
            previous = signer;
        }
    }

    function _lowerMedian(uint128[] calldata sorted) private pure returns (uint128) {
        return sorted[(sorted.length - 1) / 2];
    }
}
