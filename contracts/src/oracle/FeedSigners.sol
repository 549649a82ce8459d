// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";

uint256 constant MAX_SIGNERS = 31;
uint16 constant ALL_BPS = 10_000; // every interval of the period was measured

/// @title FeedSigners
/// @notice Who may sign for an asset: signer sets, their rotation, and the end of a signer that contradicts itself.
///
/// SETS. Members are kept under the digest of their set, so that a rotation forgets the old set without a loop. The
/// digest counts the sets: a report signed for one set is never taken under another with the same members.
/// EQUIVOCATION. Two reports of one period and revision with one signature each end a signer. The quorum stays: a set
/// that has lost too many halts rather than go on with fewer.
/// STORAGE. What every report reads and writes is in one word of `Asset`; what only challenges need is apart.
abstract contract FeedSigners is ICashflowFeed, EIP712, AccessControl {
    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(bytes32 configDigest,bytes32 assetId,uint64 periodId,uint32 revision,uint64 periodStart,"
        "uint64 periodEnd,uint64 observedAt,uint64 expiresAt,uint16 completenessBps,bytes32 readingsRoot,"
        "uint128[] registersWh,uint128[] creditedUsd6)"
    );

    struct Asset {
        bytes32 configDigest;
        // one word that every report reads
        uint8 quorum;
        uint8 signerCount;
        uint8 minObservations; // 2f + 1
        uint48 lastPeriodId;
        uint48 lastPeriodEnd; // [UTC seconds]
        Status openStatus;
        bool isRipcordPulled;
        bool hasRateBound; // nameplate or price ceiling
        bool hasRejected; // some revision was rejected once, so that floors must be looked up
        uint16 minCompletenessBps;
        uint32 challengeWindowS;
        uint32 configCount;
        // accepted values
        uint128 registerWh; // [Wh, cumulative]
        uint128 creditedUsd6; // [1e6, cumulative]
        address sink;
        uint64 nameplateW;
        uint128 firstRegisterWh; // [Wh]
        uint64 priceCeilingUsd6PerMwh;
        string unit;
    }

    mapping(bytes32 assetId => Asset) internal _assets;
    mapping(bytes32 configDigest => mapping(address signer => bool)) private _isMember;

    /// @inheritdoc ICashflowFeed
    function rotateSigners(bytes32 assetId, address[] calldata signers, uint8 quorum, uint8 faultTolerance)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        require(_assets[assetId].configDigest != 0, UnknownAsset(assetId));
        _requireSigners(signers, quorum, faultTolerance);

        (bytes32 digest, uint32 configCount) = _setSigners(assetId, signers, quorum, faultTolerance);

        emit SignersRotated(assetId, configCount, digest, signers, quorum, faultTolerance);
    }

    /// @inheritdoc ICashflowFeed
    function proveEquivocation(
        Report calldata first,
        bytes calldata firstSignature,
        Report calldata second,
        bytes calldata secondSignature
    ) external {
        bytes32 assetId = first.assetId;
        Asset storage asset = _assets[assetId];
        (bytes32 firstDigest, bytes32 secondDigest) = _requireContradiction(first, second);
        address signer = ECDSA.recoverCalldata(firstDigest, firstSignature);
        address other = ECDSA.recoverCalldata(secondDigest, secondSignature);
        require(signer == other, SignersDiffer(signer, other));
        require(_isMember[asset.configDigest][signer], UnregisteredSigner(signer));

        _isMember[asset.configDigest][signer] = false;
        --asset.signerCount;

        emit SignerRemoved(
            assetId, signer, first.periodId, first.revision, firstDigest, secondDigest, asset.signerCount
        );
    }

    /// @inheritdoc ICashflowFeed
    function configDigest(bytes32 assetId) external view returns (bytes32) {
        return _assets[assetId].configDigest;
    }

    /// @inheritdoc ICashflowFeed
    function currentConfig(bytes32 assetId) external view returns (SignerConfig memory) {
        Asset storage asset = _assets[assetId];
        return SignerConfig({
            digest: asset.configDigest,
            configCount: asset.configCount,
            quorum: asset.quorum,
            signerCount: asset.signerCount,
            faultTolerance: asset.minObservations / 2, // 2f + 1
            unit: asset.unit
        });
    }

    /// @inheritdoc ICashflowFeed
    function isSigner(bytes32 assetId, address account) external view returns (bool) {
        return _isMember[_assets[assetId].configDigest][account];
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

    /// @dev Needs the asset's unit. The loop is bounded by MAX_SIGNERS.
    function _setSigners(bytes32 assetId, address[] calldata signers, uint8 quorum, uint8 faultTolerance)
        internal
        returns (bytes32 digest, uint32 configCount)
    {
        Asset storage asset = _assets[assetId];
        configCount = asset.configCount + 1;
        digest = keccak256(
            abi.encode(
                block.chainid, address(this), assetId, configCount, signers, quorum, faultTolerance, asset.unit
            )
        );
        address previous = address(0);
        for (uint256 i = 0; i < signers.length; ++i) {
            require(signers[i] > previous, SignersNotAscending(previous, signers[i]));
            previous = signers[i];
            _isMember[digest][previous] = true;
        }
        asset.configDigest = digest;
        asset.configCount = configCount;
        asset.quorum = quorum;
        // forge-lint: disable-next-line(unsafe-typecast) -- at most MAX_SIGNERS
        asset.signerCount = uint8(signers.length);
        asset.minObservations = 2 * faultTolerance + 1;
    }

    function _requireSigners(address[] calldata signers, uint8 quorum, uint8 faultTolerance) internal pure {
        uint256 count = signers.length;
        uint256 f = faultTolerance;
        require(count <= MAX_SIGNERS, InvalidConfig("signers", count, MAX_SIGNERS));
        require(count > 3 * f, InvalidConfig("signers", count, 3 * f + 1));
        require(quorum > f, InvalidConfig("quorum", quorum, f + 1));
        require(quorum <= count, InvalidConfig("quorum", quorum, count));
    }

    function _requireSignatures(Asset storage asset, bytes32 digest, bytes[] calldata signatures) internal view {
        uint256 count = signatures.length;
        require(
            count >= asset.quorum && count <= asset.signerCount,
            WrongNumberOfSignatures(count, asset.quorum, asset.signerCount)
        );
        mapping(address signer => bool) storage isMember = _isMember[asset.configDigest];
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            require(isMember[signer], UnregisteredSigner(signer));
            require(signer > previous, SignersNotAscending(previous, signer));
            previous = signer;
        }
    }

    function _requireConfig(Report calldata report) internal view {
        bytes32 expected = _assets[report.assetId].configDigest;
        require(expected != 0, UnknownAsset(report.assetId));
        require(
            report.configDigest == expected, ConfigDigestMismatch(report.assetId, report.configDigest, expected)
        );
    }

    function _requireContradiction(Report calldata first, Report calldata second)
        private
        view
        returns (bytes32 firstDigest, bytes32 secondDigest)
    {
        require(first.assetId == second.assetId, AssetsDiffer(first.assetId, second.assetId));
        _requireConfig(first);
        _requireConfig(second);
        require(first.periodId == second.periodId, PeriodsDiffer(first.periodId, second.periodId));
        require(first.revision == second.revision, RevisionsDiffer(first.revision, second.revision));
        firstDigest = reportDigest(first);
        secondDigest = reportDigest(second);
        require(firstDigest != secondDigest, ReportsEqual(firstDigest));
    }
}
