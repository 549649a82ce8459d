// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ICashflowFeed
/// @notice One final, signed report per asset and period: cumulative energy and cumulative cash credited.
/// @dev | name            | scale       | example                                   |
///      | `registerWh`    | 1 Wh        | 2_500_000 = 2.5 MWh since commissioning   |
///      | `creditedUsd6`  | 1e6         | 1_000_000 = one dollar since commissioning|
///      | `completenessBps` | 1e4 = all | 9_950 = 99.5 % of the intervals measured  |
///      Periods are half open: [periodStart, periodEnd), numbered 1, 2, 3 without a gap.
interface ICashflowFeed {
    /// @notice What the signers sign (EIP-712). Both arrays are sorted ascending, one value per observer.
    struct Report {
        bytes32 configDigest;
        bytes32 assetId;
        uint64 periodId;
        uint32 revision;
        uint64 periodStart;
        uint64 periodEnd;
        uint64 observedAt;
        uint64 expiresAt;
        uint16 completenessBps;
        bytes32 readingsRoot;
        uint128[] registersWh;
        uint128[] creditedUsd6;
    }

    /// @notice What is kept of a final report.
    struct FinalReport {
        uint64 periodStart;
        uint64 periodEnd;
        uint64 observedAt;
        uint16 completenessBps;
        uint128 registerWh;
        uint128 creditedUsd6;
        bytes32 readingsRoot;
    }

    /// @notice Who may sign for an asset and where final reports are delivered.
    /// @param signers Addresses in ascending order.
    /// @param quorum Signatures needed, more than `faultTolerance`.
    /// @param faultTolerance Signers that may lie or be silent; signers > 3 x faultTolerance.
    /// @param firstPeriodStart First second of period 1 (UTC).
    /// @param sink Contract told of each final report; zero for none.
    /// @param unit Unit of the register, part of the digest: "Wh".
    struct AssetConfig {
        address[] signers;
        uint8 quorum;
        uint8 faultTolerance;
        uint64 firstPeriodStart;
        address sink;
        string unit;
    }

    error AssetAlreadyRegistered(bytes32 assetId);
    error InvalidConfig(bytes32 what, uint256 actual, uint256 bound);
    error UnknownAsset(bytes32 assetId);
    error ConfigDigestMismatch(bytes32 assetId, bytes32 actual, bytes32 expected);
    /// @notice The period already has its final report.
    error StaleReport(bytes32 assetId, uint64 periodId, uint64 lastPeriodId);
    /// @notice Periods are reported one after another.
    error PeriodGap(bytes32 assetId, uint64 actual, uint64 expected);
    /// @notice A period starts where the one before ended.
    error PeriodNotContiguous(bytes32 assetId, uint64 actualStart, uint64 expectedStart);
    error PeriodEmpty(uint64 periodStart, uint64 periodEnd);
    /// @notice The period was observed before it was over.
    error PeriodNotOver(uint64 observedAt, uint64 periodEnd);
    error ReportFromFuture(uint64 observedAt, uint256 nowSeconds);
    error ReportExpired(uint64 expiresAt, uint256 nowSeconds);
    error CompletenessOutOfRange(uint16 actual, uint16 bound);
    error WrongObservationCount(uint256 actual, uint256 minimum, uint256 maximum);
    error ObservationsNotSorted(uint256 index);
    /// @notice A cumulative register never falls.
    error RegisterDecreased(bytes32 assetId, uint128 actual, uint128 last);
    /// @notice Cumulative credits never fall.
    error CreditDecreased(bytes32 assetId, uint128 actual, uint128 last);
    error WrongNumberOfSignatures(uint256 actual, uint256 minimum, uint256 maximum);
    error UnregisteredSigner(address signer);
    /// @notice Signatures come in ascending order of signer, each signer once.
    error SignersNotAscending(address previous, address signer);
    error NothingToDeliver(bytes32 assetId, uint64 periodId);

    event AssetRegistered(bytes32 indexed assetId, bytes32 configDigest, uint8 quorum, uint256 signerCount, address sink);
    event ReportFinal(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        bytes32 indexed digest,
        uint64 periodStart,
        uint64 periodEnd,
        uint128 registerWh,
        uint128 creditedUsd6,
        uint16 completenessBps,
        bytes32 readingsRoot,
        uint256 signatureCount
    );
    /// @notice The sink refused; the report stays final and can be delivered again by anyone.
    event DeliveryFailed(bytes32 indexed assetId, uint64 indexed periodId, bytes reason);

    /// @notice Names the signers of an asset, once.
    /// @dev Errors in order of precedence: AssetAlreadyRegistered, InvalidConfig (signers, quorum, sink),
    ///      SignersNotAscending.
    function registerAsset(bytes32 assetId, AssetConfig calldata config) external;

    /// @notice Makes a signed report final and tells the sink. Callable by anyone: the signatures decide.
    /// @dev Errors in order of precedence: UnknownAsset, ConfigDigestMismatch, StaleReport, PeriodGap,
    ///      PeriodNotContiguous, PeriodEmpty, PeriodNotOver, ReportFromFuture, ReportExpired,
    ///      CompletenessOutOfRange, WrongObservationCount, ObservationsNotSorted, RegisterDecreased,
    ///      CreditDecreased, WrongNumberOfSignatures, (signature errors), UnregisteredSigner,
    ///      SignersNotAscending.
    /// @param signatures 65 bytes each, in ascending order of signer.
    function transmit(Report calldata report, bytes[] calldata signatures) external;

    /// @notice Tells the sink again of a report that it refused. Callable by anyone.
    function deliver(bytes32 assetId, uint64 periodId) external;

    /// @notice EIP-712 digest that the signers sign.
    function reportDigest(Report calldata report) external view returns (bytes32);

    /// @notice Digest of chain, contract, asset, signers, quorum, tolerance and unit.
    function configDigest(bytes32 assetId) external view returns (bytes32);

    /// @notice Number of the last final period, 0 before the first.
    function lastPeriodId(bytes32 assetId) external view returns (uint64);

    /// @notice The final report of a period; all zero if there is none.
    function finalReport(bytes32 assetId, uint64 periodId) external view returns (FinalReport memory);
}
