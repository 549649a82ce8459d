// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DayCount} from "../libraries/DayCount.sol";
import {IReportSink} from "./IReportSink.sol";

/// @title IWaterfall
/// @notice Order of payment of a deal with up to eight classes, started by the final report. The rule is written in
///         docs/waterfall.md; the Python twin allocates the same to the last unit.
/// @dev | name         | scale        | example                          |
///      | `rateWad`    | 1e18 a year  | 0.05e18 = 5 % a year             |
///      | `...Bps`     | 1e4          | 10_000 = 100 %                   |
///      | `...Usd6`    | 1e6          | 1_000_000 = one dollar           |
///      | `classMask`  | 1 bit each   | 5 = classes 0 and 2; 0 is senior |
interface IWaterfall is IReportSink {
    /// @notice What a final report must show for cash to be distributed; by schedule every report distributes.
    enum Trigger {
        Energy,
        Credit,
        Schedule
    }

    enum StepKind {
        Fee,
        Advance,
        Hedge,
        Interest,
        Principal,
        FirstPriority,
        Reserve,
        Turbo,
        Residual
    }

    /// @notice What a fee is charged on: notes outstanding, or the opening pool.
    enum Basis {
        Notes,
        Pool
    }

    /// @notice A class of notes, senior first.
    /// @param bond Register of the class.
    /// @param distributor Coupon ledger of the class.
    /// @param originalUsd6 Principal at issue; must equal units x face when the first report arrives (1e6).
    /// @param rateWad Interest a year. @param defaultRateWad Interest a year on arrears of interest; 0 for none.
    /// @param dayCount Convention of the class. @param frequency Coupon periods a year (ACT/ACT ICMA).
    /// @param principalStart First period with an instalment. @param principalPeriods Number of instalments.
    struct ClassTerms {
        address bond;
        address distributor;
        uint128 originalUsd6;
        uint64 rateWad;
        uint64 defaultRateWad;
        DayCount.Convention dayCount;
        uint8 frequency;
        uint32 principalStart;
        uint32 principalPeriods;
    }

    /// @notice One step, in order of payment. See docs/waterfall.md for what each kind is due.
    struct Step {
        StepKind kind;
        uint8 classMask;
        bool proRata;
        bool toPool;
        bool reserveCovers;
        Basis basis;
        uint16 bps;
        uint64 rateWad;
        uint128 fixedUsd6;
        address payee;
    }

    /// @notice Parties, triggers and default terms. Immutable. Thresholds of 0 are off; `threshold` is 0 for a
    ///         schedule, and only then. Without a governor (0) coupon ledgers cannot be replaced.
    struct DealTerms {
        address feed;
        bytes32 assetId;
        address cash;
        address agent;
        address governor;
        Trigger trigger;
        uint128 threshold;
        uint32 recordLagS;
        uint32 periodCount;
        uint64 maturityTime;
        uint32 minOcBps;
        uint32 maxDelinquencyBps;
        uint32 minDscrBps;
        bool latched;
        uint64 cureWindowS;
        bool accelerateOnDefault;
        uint64 callTime;
        uint32 callPriceBps;
        uint32 cleanUpBps;
    }

    /// @notice What the calculation agent posts of the pool before a period's report (1e6 each).
    struct PoolReport {
        uint128 performingUsd6;
        uint128 delinquentUsd6;
        uint128 lossUsd6;
        uint128 hedgeDueUsd6;
        uint128 advanceUsd6;
    }

    /// @notice Where a class stands (1e6). `interestOwedUsd6` includes the arrears.
    struct ClassState {
        uint128 outstandingUsd6;
        uint128 principalPaidUsd6;
        uint128 writtenDownUsd6;
        uint128 interestOwedUsd6;
        uint128 arrearsUsd6;
        uint64 couponCount;
    }

    /// @notice Where the deal stands. Cumulative values count from issue; `carriedUsd6` is cash available besides new
    ///         credits: advances, and what no step took last time (1e6). Credits and energy may fall by a correction,
    ///         what was allocated and distributed never does.
    struct State {
        uint64 periodId;
        uint64 lastPeriodEnd;
        uint64 arrearsSince;
        bool defaulted;
        bool accelerated;
        bool breachLatched;
        uint128 hedgeOwedUsd6;
        uint128 advancesUsd6;
        uint128 carriedUsd6;
        uint128 reserveUsd6;
        uint128 creditedUsd6;
        uint128 allocatedUsd6;
        uint128 registerWh;
        uint128 distributedWh;
        uint128 poolUsd6;
        uint128 delinquentUsd6;
    }

    error OnlyFeed(address caller, address feed);
    error OnlyAgent(address caller, address agent);
    error WrongAsset(bytes32 actual, bytes32 expected);
    /// @notice Reports are taken one after another.
    error PeriodOutOfOrder(uint64 actual, uint64 expected);
    error InvalidTerms(bytes32 what, uint256 actual, uint256 bound);
    /// @notice A step names a class that does not exist, or needs one and names none, or names one needlessly.
    error InvalidStep(uint256 index, uint8 classMask, uint256 classCount);
    error OriginalMismatch(uint256 classIndex, uint256 actual, uint256 expected);
    error OnlyGovernor(address caller, address governor);
    error NotTheSuccessor(uint256 classIndex, address actual, address expected);
    error CouponCountMismatch(uint256 classIndex, uint256 actual, uint256 expected);
    error NothingHeld();
    /// @notice The feed's ripcord is pulled.
    error FeedStopped(address feed, bytes32 assetId);
    /// @notice The cash that was reported has not arrived on chain.
    error CashNotArrived(uint256 heldUsd6, uint256 neededUsd6);
    error NotInDefault();
    error CallNotAllowed(uint256 nowSeconds, uint256 callTime, uint256 factorBps, uint256 cleanUpBps);
    error ClassNotRepaid(uint256 classIndex, uint256 outstandingUsd6);
    error EntitlementOpen(uint256 classIndex, uint256 recordTime, uint256 nowSeconds);
    error NothingParkedFor(address payee);
    error PayeeCannotReceive(address payee, uint256 amountUsd6);

    event PoolPosted(uint64 indexed periodId, PoolReport pool);
    event ClassAccrued(
        uint64 indexed periodId, uint256 indexed classIndex, uint256 interestUsd6, uint256 defaultInterestUsd6
    );
    event WrittenDown(uint64 indexed periodId, uint256 indexed classIndex, uint256 principalUsd6, uint256 interestUsd6);
    event EventOfDefault(uint64 indexed periodId, uint64 arrearsSince);
    event Accelerated(uint64 indexed periodId);
    /// @notice The cash trigger is not met yet; cash waits for the next report.
    event DistributionDeferred(uint64 indexed periodId, uint256 actual, uint256 threshold);
    /// @notice The trigger is met but the reported cash is not on chain yet; anyone may call `distribute`.
    event DistributionHeld(uint64 indexed periodId, uint256 heldUsd6, uint256 neededUsd6);
    /// @notice available + reserve out = sum of the steps (reserve in included) + left.
    event Distributed(
        uint64 indexed periodId,
        uint256 availableUsd6,
        uint256 reserveInUsd6,
        uint256 reserveOutUsd6,
        uint256 leftUsd6,
        bool breached,
        uint256[] stepPaidUsd6
    );
    event ClassPaid(
        uint64 indexed periodId,
        uint256 indexed classIndex,
        uint256 couponId,
        uint256 interestDueUsd6,
        uint256 interestPaidUsd6,
        uint256 arrearsPaidUsd6,
        uint256 principalPaidUsd6
    );
    event ReserveFunded(address indexed from, uint256 amountUsd6);
    event Called(address indexed caller, uint256 priceBps, uint256 paidUsd6);
    event DistributorReplaced(uint256 indexed classIndex, address indexed previous, address indexed next);
    event PayeeParked(address indexed payee, uint256 amountUsd6);
    event PayeeReleased(address indexed payee, uint256 amountUsd6);

    /// @notice Posts the pool's figures for the next period and brings the advance in cash. Agent only.
    function postPool(uint64 periodId, PoolReport calldata pool) external;

    /// @notice Adds cash of the caller to the reserve.
    function fundReserve(uint128 amountUsd6) external;

    /// @notice Carries out a distribution that was held for missing cash. Callable by anyone.
    /// @dev Errors in order of precedence: NothingHeld, FeedStopped, CashNotArrived.
    function distribute() external;

    /// @notice Makes all notes due after an event of default. Agent only.
    function accelerate() external;

    /// @notice Repays every class early with the agent's cash, brought for the issuer: from `callTime` at the call price, or at par once the
    ///         notes have shrunk to the clean-up size. Interest is paid as accrued to the last reported period end.
    ///         Agent only: repaying early is the issuer's right, not a stranger's.
    /// @dev Errors in order of precedence: OnlyAgent, CallNotAllowed, the token's own.
    function callNotes() external;

    /// @notice Retires the units of a class that is repaid, a page of holders at a time. Callable by anyone.
    function retire(uint256 classIndex, address[] calldata holders) external;

    /// @notice Puts the coupon ledger that took over in the place of the one that handed over. Governor only.
    /// @dev Errors in order of precedence: OnlyGovernor, NotTheSuccessor, CouponCountMismatch.
    function replaceDistributor(uint256 classIndex, address next) external;

    /// @notice Delivers a fee or residual that its payee could not receive. Callable by anyone.
    function release(address payee) external;

    function dealTerms() external view returns (DealTerms memory);

    function classTerms(uint256 classIndex) external view returns (ClassTerms memory);

    function steps() external view returns (Step[] memory);

    function state() external view returns (State memory);

    function classState(uint256 classIndex) external view returns (ClassState memory);

    function classCount() external view returns (uint256);

    /// @notice Fees accrued and not paid, by step (1e6).
    function feeOwedUsd6(uint256 stepIndex) external view returns (uint256);

    /// @notice Part of a class's principal that is outstanding (1e18 = all), rounded down.
    function poolFactorWad(uint256 classIndex) external view returns (uint256);

    /// @notice Fee or residual waiting for a payee that could not receive (1e6).
    function parkedUsd6(address payee) external view returns (uint256);
}
