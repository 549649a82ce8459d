// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IReportSink} from "./IReportSink.sol";

/// @title IWaterfall
/// @notice Order of payment of one bond: fees, coupon, reserve, residual. Started by the final report.
/// @dev | name           | scale       | example                      |
///      | `feeBps`       | 1e4 a year  | 100 = 1 % of outstanding     |
///      | `thresholdWh`  | 1 Wh        | 80_000_000 = 80 MWh          |
///      | `...Usd6`      | 1e6         | 1_000_000 = one dollar       |
interface IWaterfall is IReportSink {
    /// @notice What a final report must show for cash to be distributed.
    /// `Energy`: energy since the last distribution reached the threshold (Wh).
    /// `Credit`: cash credited since the last distribution reached the threshold (1e6).
    enum Trigger {
        Energy,
        Credit
    }

    /// @notice Parties, fees and trigger. Immutable.
    struct Setup {
        address feed;
        address bond;
        address cash;
        address distributor;
        address servicer;
        address sponsor;
        uint16 feeBps;
        uint128 reserveTargetUsd6;
        Trigger trigger;
        uint128 threshold;
        uint32 recordLagS;
    }

    /// @notice What is owed and what was paid since issue.
    /// @param periodId Last period taken from the feed.
    /// @param originalUsd6 Principal at issue (1e6), fixed when the first report arrives.
    /// @param principalPaidUsd6 Principal paid to holders (1e6).
    /// @param interestOwedUsd6 Interest accrued and not yet paid (1e6).
    /// @param feesOwedUsd6 Fees accrued and not yet paid (1e6).
    /// @param reserveUsd6 Cash in the reserve account (1e6).
    /// @param creditedUsd6 Cash credited according to the last report (1e6, cumulative).
    /// @param allocatedUsd6 Cash already put through the waterfall (1e6, cumulative).
    /// @param registerWh Energy register at the last report (Wh, cumulative).
    /// @param distributedWh Energy register at the last distribution (Wh, cumulative).
    struct State {
        uint64 periodId;
        uint64 couponCount;
        uint128 originalUsd6;
        uint128 principalPaidUsd6;
        uint128 interestOwedUsd6;
        uint128 feesOwedUsd6;
        uint128 reserveUsd6;
        uint128 creditedUsd6;
        uint128 allocatedUsd6;
        uint128 registerWh;
        uint128 distributedWh;
    }

    /// @notice One pass through the waterfall:
    ///         available + reserve out = fees + interest + principal + reserve in + residual.
    struct Allocation {
        uint256 availableUsd6;
        uint256 reserveOutUsd6;
        uint256 feesUsd6;
        uint256 interestUsd6;
        uint256 principalUsd6;
        uint256 reserveInUsd6;
        uint256 residualUsd6;
    }

    error OnlyFeed(address caller, address feed);
    error WrongAsset(bytes32 actual, bytes32 expected);
    /// @notice Reports are taken one after another.
    error PeriodOutOfOrder(uint64 actual, uint64 expected);
    error InvalidSetup(bytes32 what, uint256 actual, uint256 bound);
    error NoUnitsIssued();
    error NothingHeld();
    /// @notice The cash that was reported has not arrived on chain.
    error CashNotArrived(uint256 heldUsd6, uint256 neededUsd6);
    error NothingParkedFor(address payee);
    error PayeeCannotReceive(address payee, uint256 amountUsd6);

    event PeriodAccrued(uint64 indexed periodId, uint256 days360, uint256 interestUsd6, uint256 feesUsd6);
    /// @notice The trigger is not met yet; cash waits for the next report.
    event DistributionDeferred(uint64 indexed periodId, uint256 actual, uint256 threshold);
    /// @notice The trigger is met but the reported cash is not on chain yet; anyone may call `distribute`.
    event DistributionHeld(uint64 indexed periodId, uint256 heldUsd6, uint256 neededUsd6);
    event Distributed(uint64 indexed periodId, uint256 indexed couponId, Allocation allocation);
    event PayeeParked(address indexed payee, uint256 amountUsd6);
    event PayeeReleased(address indexed payee, uint256 amountUsd6);

    /// @notice Carries out a distribution that was held for missing cash. Callable by anyone.
    function distribute() external;

    /// @notice Delivers a fee or residual that its payee could not receive. Callable by anyone.
    function release(address payee) external;

    function setup() external view returns (Setup memory);

    function state() external view returns (State memory);

    /// @notice Fee or residual waiting for a payee that could not receive (1e6).
    function parkedUsd6(address payee) external view returns (uint256);
}
