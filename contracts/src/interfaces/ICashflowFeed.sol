// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ICashflowFeed
/// @notice Signed reports per asset and period, final one after another: cumulative energy and cumulative cash
///         credited.
/// @dev | name              | scale       | example                                   |
///      | `registerWh`      | 1 Wh        | 2_500_000 = 2.5 MWh since commissioning   |
///      | `creditedUsd6`    | 1e6         | 1_000_000 = one dollar since issue        |
///      | `completenessBps` | 1e4 = all   | 9_950 = 99.5 % of the intervals measured  |
///      | `...Usd6PerMwh`   | 1e6 a MWh   | 90_000_000 = 90 dollars a MWh             |
///      | times             | UTC seconds |                                           |
///      Periods are half open: [periodStart, periodEnd), numbered 1, 2, 3 without a gap. So is the challenge window:
///      [acceptedAt, acceptedAt + challengeWindowS).
interface ICashflowFeed {
    /// @notice Where a report stands. Pending, held and disputed reports are open; a rejected one is done with.
    enum Status {
        None,
        Pending,
        Held,
        Disputed,
        Rejected,
        Final
    }

    /// @notice What the signers sign (EIP-712). Both arrays are sorted ascending, one value per observer. `revision` is
    ///         0 for the first report of a period; a later one takes the earlier one's place.
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
        uint32 revision;
        uint64 finalisedAt;
    }

    /// @notice The report that is not final yet, or was rejected last. `challenger` has a bond in it while disputed.
    struct OpenReport {
        Status status;
        uint64 periodId;
        uint32 revision;
        uint64 periodStart;
        uint64 periodEnd;
        uint64 observedAt;
        uint64 acceptedAt;
        uint16 completenessBps;
        uint128 registerWh;
        uint128 creditedUsd6;
        bytes32 readingsRoot;
        bytes32 digest;
        address challenger;
    }

    /// @notice Who may sign for an asset, where final reports are delivered, and what holds a report back.
    /// @param signers Addresses in ascending order.
    /// @param quorum Signatures needed, more than `faultTolerance`.
    /// @param faultTolerance Signers that may lie or be silent; signers > 3 x faultTolerance.
    /// @param firstPeriodStart First second of period 1 (UTC).
    /// @param sink Contract told of each final period; zero for none.
    /// @param unit Unit of the register, part of the digest: "Wh".
    /// @param firstRegisterWh Register at `firstPeriodStart` (Wh): energy before it is not this asset's.
    /// @param nameplateW Largest power of the plant (W); a period may show 2 % more. 0 = no bound.
    /// @param priceCeilingUsd6PerMwh Highest price the energy can have fetched (1e6 a MWh). 0 = no bound.
    /// @param minCompletenessBps Least part of the intervals measured. 0 = no bound.
    /// @param challengeWindowS Seconds in which a report may be disputed; 0 makes it final at once.
    /// @param arbiter Decides on held and disputed reports; needed with a window or a bound.
    /// @param bondToken Token that a challenger brings. @param bondAmount How much of it, in its own decimals.
    /// @param forfeitTo Who gets the bond of a challenger who was wrong. These three are needed with a window.
    struct AssetConfig {
        address[] signers;
        uint8 quorum;
        uint8 faultTolerance;
        uint64 firstPeriodStart;
        address sink;
        string unit;
        uint128 firstRegisterWh;
        uint64 nameplateW;
        uint64 priceCeilingUsd6PerMwh;
        uint16 minCompletenessBps;
        uint32 challengeWindowS;
        address arbiter;
        address bondToken;
        uint128 bondAmount;
        address forfeitTo;
    }

    /// @notice The signer set in force. `configCount` is 1 for the first; `signerCount` counts those not removed.
    struct SignerConfig {
        bytes32 digest;
        uint32 configCount;
        uint8 quorum;
        uint8 signerCount;
        uint8 faultTolerance;
        string unit;
    }

    /// @notice Accepted values and where the asset stands. `openStatus` is that of the open or last rejected report.
    struct AssetState {
        uint64 lastPeriodId;
        uint64 lastPeriodEnd;
        uint128 registerWh;
        uint128 creditedUsd6;
        Status openStatus;
        bool isRipcordPulled;
    }

    /// @notice What was fixed at registration besides the signers; see `AssetConfig`.
    struct AssetTerms {
        address sink;
        uint128 firstRegisterWh;
        uint64 nameplateW;
        uint64 priceCeilingUsd6PerMwh;
        uint16 minCompletenessBps;
        uint32 challengeWindowS;
        address arbiter;
        address bondToken;
        uint128 bondAmount;
        address forfeitTo;
    }

    error AssetAlreadyRegistered(bytes32 assetId);
    error InvalidConfig(bytes32 what, uint256 actual, uint256 bound);
    error UnknownAsset(bytes32 assetId);
    error ConfigDigestMismatch(bytes32 assetId, bytes32 actual, bytes32 expected);
    /// @notice The period is over and done with (`leastRevision` 0), or the revision does not rise.
    error StaleReport(
        bytes32 assetId, uint64 periodId, uint32 revision, uint64 lastPeriodId, uint64 leastRevision
    );
    /// @notice Revisions rise in small steps, so that no report can use them all up.
    error RevisionOutOfReach(uint32 revision, uint64 mostRevision);
    /// @notice Periods are reported one after another.
    error PeriodGap(bytes32 assetId, uint64 actual, uint64 expected);
    /// @notice A report of another period is open; it comes first.
    error OtherReportOpen(bytes32 assetId, uint64 openPeriodId, Status status);
    /// @notice A period starts where the one before ended.
    error PeriodNotContiguous(bytes32 assetId, uint64 actualStart, uint64 expectedStart);
    error PeriodEmpty(uint64 periodStart, uint64 periodEnd);
    /// @notice A correction keeps the period as it was.
    error PeriodEndMoved(bytes32 assetId, uint64 actualEnd, uint64 expectedEnd);
    /// @notice The period was observed before it was over.
    error PeriodNotOver(uint64 observedAt, uint64 periodEnd);
    error ReportFromFuture(uint64 observedAt, uint256 nowSeconds);
    error ReportExpired(uint64 expiresAt, uint256 nowSeconds);
    error CompletenessOutOfRange(uint16 actual, uint16 bound);
    error WrongObservationCount(uint256 actual, uint256 minimum, uint256 maximum);
    error ObservationsNotSorted(uint256 index);
    /// @notice A cumulative register never falls below the period before.
    error RegisterDecreased(bytes32 assetId, uint128 actual, uint128 last);
    /// @notice Cumulative credits never fall below the period before.
    error CreditDecreased(bytes32 assetId, uint128 actual, uint128 last);
    error WrongNumberOfSignatures(uint256 actual, uint256 minimum, uint256 maximum);
    error UnregisteredSigner(address signer);
    /// @notice Signatures come in ascending order of signer, each signer once.
    error SignersNotAscending(address previous, address signer);
    error NothingToDeliver(bytes32 assetId, uint64 periodId);
    /// @notice The report is not in the state this step needs; resolving takes held and disputed ones.
    error WrongStatus(bytes32 assetId, uint64 periodId, Status actual, Status expected);
    /// @notice The open report is another revision than the caller judged.
    error WrongRevision(bytes32 assetId, uint64 periodId, uint32 actual, uint32 expected);
    error ChallengeWindowOpen(bytes32 assetId, uint64 periodId, uint256 until, uint256 nowSeconds);
    error ChallengeWindowOver(bytes32 assetId, uint64 periodId, uint256 until, uint256 nowSeconds);
    error BondNotArrived(uint256 actual, uint256 expected);
    error OnlyArbiter(address caller, address arbiter);
    error NoBondParked(address token, address payee);
    error BondNotReceivable(address token, address payee, uint256 amount);
    /// @notice Somebody with the right to do so has stopped the asset.
    error RipcordPulled(bytes32 assetId);
    error RipcordNotPulled(bytes32 assetId);
    error AssetsDiffer(bytes32 first, bytes32 second);
    error PeriodsDiffer(uint64 first, uint64 second);
    error RevisionsDiffer(uint32 first, uint32 second);
    /// @notice The same report twice is no contradiction.
    error ReportsEqual(bytes32 digest);
    error SignersDiffer(address first, address second);

    event AssetRegistered(
        bytes32 indexed assetId,
        bytes32 configDigest,
        uint8 quorum,
        uint256 signerCount,
        address sink,
        AssetConfig config
    );
    event SignersRotated(
        bytes32 indexed assetId,
        uint32 indexed configCount,
        bytes32 configDigest,
        address[] signers,
        uint8 quorum,
        uint8 faultTolerance
    );
    /// @notice A signer contradicted itself; the set is smaller, its digest and quorum are as before.
    event SignerRemoved(
        bytes32 indexed assetId,
        address indexed signer,
        uint64 periodId,
        uint32 revision,
        bytes32 firstDigest,
        bytes32 secondDigest,
        uint256 signersLeft
    );
    /// @notice A report waits: for its window, or, if `ReportHeld` follows, for the arbiter. One that was open is gone.
    event ReportOpened(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        bytes32 indexed digest,
        uint32 revision,
        uint64 periodStart,
        uint64 periodEnd,
        uint64 observedAt,
        uint128 registerWh,
        uint128 creditedUsd6,
        uint16 completenessBps,
        bytes32 readingsRoot,
        uint256 signatureCount
    );
    /// @notice A bound is exceeded: nothing is clamped, nothing is paid until the arbiter decides. `what` is
    ///         "nameplate" (Wh in the period), "completeness" (1e4) or "price" (1e6, cumulative), the first that is
    ///         exceeded.
    event ReportHeld(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        uint32 revision,
        bytes32 what,
        uint256 actual,
        uint256 bound
    );
    event ReportDisputed(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        uint32 revision,
        address indexed challenger,
        bytes32 evidence,
        uint256 bondAmount
    );
    event ReportResolved(
        bytes32 indexed assetId, uint64 indexed periodId, uint32 revision, bool stands, address arbiter
    );
    event ReportFinal(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        bytes32 indexed digest,
        uint32 revision,
        uint64 periodStart,
        uint64 periodEnd,
        uint64 observedAt,
        uint128 registerWh,
        uint128 creditedUsd6,
        uint16 completenessBps,
        bytes32 readingsRoot,
        uint256 signatureCount
    );
    /// @notice Follows `ReportFinal` when the period was final before. The sink hears of it with the next period.
    event ReportCorrected(
        bytes32 indexed assetId,
        uint64 indexed periodId,
        uint32 revision,
        uint128 registerBefore,
        uint128 registerAfter,
        uint128 creditedBefore,
        uint128 creditedAfter
    );
    /// @notice The sink refused; the report stays final and can be delivered again by anyone.
    event DeliveryFailed(bytes32 indexed assetId, uint64 indexed periodId, bytes reason);
    event BondPaid(address indexed token, address indexed payee, uint256 amount);
    event BondParked(address indexed token, address indexed payee, uint256 amount);
    event BondReleased(address indexed token, address indexed payee, uint256 amount);
    event RipcordSet(bytes32 indexed assetId, address indexed by, bytes32 reason);
    event RipcordReset(bytes32 indexed assetId, address indexed by);

    /// @notice Names an asset's signers, bounds and window. Admin only, once.
    /// @dev Errors in order of precedence: AssetAlreadyRegistered, InvalidConfig (signers, quorum, sink,
    ///      firstPeriodStart, completeness, arbiter, bondToken, bondAmount, forfeitTo), SignersNotAscending.
    function registerAsset(bytes32 assetId, AssetConfig calldata config) external;

    /// @notice Puts another signer set in the place of the one in force. Admin only. Accepted values, revisions and an
    ///         open report stay.
    /// @dev Errors in order of precedence: UnknownAsset, InvalidConfig (signers, quorum), SignersNotAscending.
    function rotateSigners(bytes32 assetId, address[] calldata signers, uint8 quorum, uint8 faultTolerance) external;

    /// @notice Takes a signed report: of the period after the last final one, or a higher revision of the last final
    ///         one (a correction). It is final at once without a window, or else opens. Callable by anyone: the
    ///         signatures decide. A higher revision supersedes the open one; a bond in that one goes back to its
    ///         challenger.
    /// @dev Errors in order of precedence: UnknownAsset, ConfigDigestMismatch, StaleReport (past period), PeriodGap,
    ///      OtherReportOpen, StaleReport (revision), RevisionOutOfReach, PeriodNotContiguous, PeriodEmpty,
    ///      PeriodEndMoved, PeriodNotOver, ReportFromFuture, ReportExpired, CompletenessOutOfRange,
    ///      WrongObservationCount, ObservationsNotSorted, RegisterDecreased, CreditDecreased, WrongNumberOfSignatures,
    ///      (signature errors), UnregisteredSigner, SignersNotAscending.
    /// @param signatures 65 bytes each, in ascending order of signer.
    function transmit(Report calldata report, bytes[] calldata signatures) external;

    /// @notice Makes a pending report final once its window is over. Callable by anyone.
    /// @dev Errors in order of precedence: WrongStatus, ChallengeWindowOpen, RipcordPulled.
    function finalise(bytes32 assetId, uint64 periodId) external;

    /// @notice Tells the sink again of a period that it refused. Callable by anyone.
    /// @dev Errors in order of precedence: NothingToDeliver, RipcordPulled.
    function deliver(bytes32 assetId, uint64 periodId) external;

    /// @notice Stops a pending report within its window. Callable by anyone who brings the bond.
    /// @dev Errors in order of precedence: WrongStatus, WrongRevision, ChallengeWindowOver, the token's own,
    ///      BondNotArrived.
    /// @param revision The one that is disputed, so that one superseded meanwhile is not.
    /// @param evidence Hash of what the arbiter should look at.
    function dispute(bytes32 assetId, uint64 periodId, uint32 revision, bytes32 evidence) external;

    /// @notice Decides on a held or disputed report. Arbiter only. It stands and is final, and the bond is forfeited;
    ///         or it is rejected, the bond goes back, and the nodes may report a higher revision.
    /// @dev Errors in order of precedence: OnlyArbiter, WrongStatus, WrongRevision, RipcordPulled (if it stands).
    function resolve(bytes32 assetId, uint64 periodId, uint32 revision, bool stands) external;

    /// @notice Pays a bond that its payee could not receive. Callable by anyone.
    /// @dev Errors in order of precedence: NoBondParked, BondNotReceivable.
    function releaseBond(address token, address payee) external;

    /// @notice Stops an asset: reports are kept, nothing becomes final, is delivered or distributed. RIPCORD_ROLE only.
    /// @dev Errors in order of precedence: UnknownAsset, RipcordPulled.
    function pullRipcord(bytes32 assetId, bytes32 reason) external;

    /// @notice Lets an asset go on. Admin only. Windows have run meanwhile.
    function resetRipcord(bytes32 assetId) external;

    /// @notice Removes a signer that signed two reports of the same period and revision. Callable by anyone. With fewer
    ///         signers left than the quorum the asset halts until a rotation.
    /// @dev Errors in order of precedence: AssetsDiffer, UnknownAsset, ConfigDigestMismatch (first, second),
    ///      PeriodsDiffer, RevisionsDiffer, ReportsEqual, (signature errors), SignersDiffer, UnregisteredSigner.
    function proveEquivocation(
        Report calldata first,
        bytes calldata firstSignature,
        Report calldata second,
        bytes calldata secondSignature
    ) external;

    /// @notice EIP-712 digest that the signers sign.
    function reportDigest(Report calldata report) external view returns (bytes32);

    /// @notice Digest of chain, contract, asset, number of the signer set, signers, quorum, tolerance and unit.
    function configDigest(bytes32 assetId) external view returns (bytes32);

    /// @notice The signer set in force.
    function currentConfig(bytes32 assetId) external view returns (SignerConfig memory);

    /// @notice Whether the account may sign under the set in force.
    function isSigner(bytes32 assetId, address account) external view returns (bool);

    /// @notice Number of the last final period, 0 before the first.
    function lastPeriodId(bytes32 assetId) external view returns (uint64);

    /// @notice The final report of a period; all zero if there is none.
    function finalReport(bytes32 assetId, uint64 periodId) external view returns (FinalReport memory);

    /// @notice The open or last rejected report; all zero if there is none.
    function openReport(bytes32 assetId) external view returns (OpenReport memory);

    /// @notice Where the newest report of a period stands: an open or rejected correction hides the final report.
    function statusOf(bytes32 assetId, uint64 periodId) external view returns (Status);

    function assetState(bytes32 assetId) external view returns (AssetState memory);

    function assetTerms(bytes32 assetId) external view returns (AssetTerms memory);

    function isRipcordPulled(bytes32 assetId) external view returns (bool);

    /// @notice Bond waiting for a payee that could not receive it, in the token's decimals.
    function parkedBond(address token, address payee) external view returns (uint256);
}
