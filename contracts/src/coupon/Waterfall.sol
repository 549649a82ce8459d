// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";
import {ICouponDistributor} from "../interfaces/ICouponDistributor.sol";
import {IReportSink} from "../interfaces/IReportSink.sol";
import {IWaterfall} from "../interfaces/IWaterfall.sol";
import {CouponMath} from "../libraries/CouponMath.sol";

uint256 constant MAX_FEE_BPS = 1_000; // 10 % a year

/// @title Waterfall
/// @notice Puts reported cash through the order of payment, in the transaction of the final report.
///
/// LIFE. report -> accrue the period -> trigger met? -> fees, interest, principal, reserve, residual.
/// CASH GUARD. Never more than the bank credited (the report) and never more than has arrived (the balance):
/// missing cash holds the distribution, it does not shrink it. Cash sent here unasked is not distributed.
/// ROUNDINGS. Accruals are rounded down once per period; the allocation itself only adds and subtracts.
/// SHORTFALL. Interest and principal that are not paid stay owed and come first next time; the reserve is
/// drawn for fees, interest and scheduled principal. When the principal is repaid the reserve goes to the
/// sponsor with the residual.
/// LIVENESS. A servicer or sponsor that cannot receive is parked and does not stop the coupon.
/// ROLES. Only the feed reports. Nobody can withdraw.
contract Waterfall is IWaterfall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    Setup private _setup;
    State private _state;
    bool private _held;
    uint256 private _parkedTotalUsd6; // [1e6]
    /// @inheritdoc IWaterfall
    mapping(address payee => uint256) public parkedUsd6; // [1e6]

    /// @param setup_ Parties, fees and trigger.
    constructor(Setup memory setup_) {
        require(setup_.feeBps <= MAX_FEE_BPS, InvalidSetup("feeBps", setup_.feeBps, MAX_FEE_BPS));
        require(setup_.threshold > 0, InvalidSetup("threshold", setup_.threshold, 1));

        _setup = setup_;
    }

    /// @inheritdoc IReportSink
    function onFinalReport(
        bytes32 assetId,
        uint64 periodId,
        uint64 periodStart,
        uint64 periodEnd,
        uint128 registerWh,
        uint128 creditedUsd6
    ) external nonReentrant {
        IBondToken.Terms memory terms = IBondToken(_setup.bond).terms();
        require(msg.sender == _setup.feed, OnlyFeed(msg.sender, _setup.feed));
        require(assetId == terms.assetId, WrongAsset(assetId, terms.assetId));
        require(periodId == _state.periodId + 1, PeriodOutOfOrder(periodId, _state.periodId + 1));

        _accrue(terms, periodStart, periodEnd);
        _state.periodId = periodId;
        _state.registerWh = registerWh;
        _state.creditedUsd6 = creditedUsd6;

        (uint256 actual, bool met) = _triggerMet(periodEnd >= terms.maturityTime);
        if (!met) {
            emit DistributionDeferred(periodId, actual, _setup.threshold);
            return;
        }
        (uint256 heldUsd6, uint256 neededUsd6) = _cash();
        if (heldUsd6 < neededUsd6) {
            _held = true;
            emit DistributionHeld(periodId, heldUsd6, neededUsd6);
            return;
        }
        _distribute(terms);
    }

    /// @inheritdoc IWaterfall
    function distribute() external nonReentrant {
        require(_held, NothingHeld());
        (uint256 heldUsd6, uint256 neededUsd6) = _cash();
        require(heldUsd6 >= neededUsd6, CashNotArrived(heldUsd6, neededUsd6));

        _distribute(IBondToken(_setup.bond).terms());
    }

    /// @inheritdoc IWaterfall
    function release(address payee) external nonReentrant {
        uint256 amountUsd6 = parkedUsd6[payee];
        require(amountUsd6 > 0, NothingParkedFor(payee));

        delete parkedUsd6[payee];
        _parkedTotalUsd6 -= amountUsd6;

        emit PayeeReleased(payee, amountUsd6);

        require(IERC20(_setup.cash).trySafeTransfer(payee, amountUsd6), PayeeCannotReceive(payee, amountUsd6));
    }

    /// @inheritdoc IWaterfall
    function setup() external view returns (Setup memory) {
        return _setup;
    }

    /// @inheritdoc IWaterfall
    function state() external view returns (State memory) {
        return _state;
    }

    function _accrue(IBondToken.Terms memory terms, uint64 periodStart, uint64 periodEnd) private {
        if (_state.originalUsd6 == 0) {
            uint256 units = IBondToken(_setup.bond).totalSupply();
            require(units > 0, NoUnitsIssued());
            _state.originalUsd6 = SafeCast.toUint128(units * terms.faceUsd6);
        }
        uint256 outstandingUsd6 = _state.originalUsd6 - _state.principalPaidUsd6;
        uint256 days360 = CouponMath.days30360Bond(periodStart, periodEnd);
        uint256 interestUsd6 = CouponMath.interestDown(outstandingUsd6, terms.rateWad, days360);
        uint256 feesUsd6 = CouponMath.feeDown(outstandingUsd6, _setup.feeBps, days360);
        _state.interestOwedUsd6 += SafeCast.toUint128(interestUsd6);
        _state.feesOwedUsd6 += SafeCast.toUint128(feesUsd6);

        emit PeriodAccrued(_state.periodId + 1, days360, interestUsd6, feesUsd6);
    }

    /// @dev At and after maturity every report distributes: nothing may wait for a threshold for ever.
    function _triggerMet(bool matured) private view returns (uint256 actual, bool met) {
        actual = _setup.trigger == Trigger.Energy
            ? _state.registerWh - _state.distributedWh
            : _state.creditedUsd6 - _state.allocatedUsd6;
        met = matured || actual >= _setup.threshold;
    }

    function _cash() private view returns (uint256 heldUsd6, uint256 neededUsd6) {
        heldUsd6 = IERC20(_setup.cash).balanceOf(address(this));
        neededUsd6 = uint256(_state.creditedUsd6) - _state.allocatedUsd6 + _state.reserveUsd6 + _parkedTotalUsd6;
    }

    function _distribute(IBondToken.Terms memory terms) private {
        Allocation memory a = _allocate(terms);

        _held = false;
        _state.allocatedUsd6 = _state.creditedUsd6;
        _state.distributedWh = _state.registerWh;
        _state.feesOwedUsd6 -= SafeCast.toUint128(a.feesUsd6);
        _state.interestOwedUsd6 -= SafeCast.toUint128(a.interestUsd6);
        _state.principalPaidUsd6 += SafeCast.toUint128(a.principalUsd6);
        _state.reserveUsd6 = SafeCast.toUint128(_state.reserveUsd6 + a.reserveInUsd6 - a.reserveOutUsd6);
        uint256 couponUsd6 = a.interestUsd6 + a.principalUsd6;
        uint64 couponId = 0;
        if (couponUsd6 > 0) couponId = ++_state.couponCount;

        emit Distributed(_state.periodId, couponId, a);

        _payOrPark(_setup.servicer, a.feesUsd6);
        if (couponUsd6 > 0) {
            ICouponDistributor distributor = ICouponDistributor(_setup.distributor);
            distributor.declare(
                couponId, SafeCast.toUint64(block.timestamp + _setup.recordLagS), a.interestUsd6, a.principalUsd6
            );
            IERC20(_setup.cash).forceApprove(address(distributor), couponUsd6);
            distributor.fund(couponId);
        }
        _payOrPark(_setup.sponsor, a.residualUsd6);
    }

    /// @dev Each step takes what it is owed from what is left: seniority is the order of the lines.
    function _allocate(IBondToken.Terms memory terms) private view returns (Allocation memory a) {
        uint256 scheduledUsd6 =
            CouponMath.scheduledPrincipalDown(_state.originalUsd6, _state.periodId, terms.periodCount);
        uint256 principalDueUsd6 = scheduledUsd6 - Math.min(scheduledUsd6, _state.principalPaidUsd6);
        uint256 owedUsd6 = uint256(_state.feesOwedUsd6) + _state.interestOwedUsd6 + principalDueUsd6;
        a.availableUsd6 = _state.creditedUsd6 - _state.allocatedUsd6;
        a.reserveOutUsd6 = Math.min(_state.reserveUsd6, owedUsd6 - Math.min(owedUsd6, a.availableUsd6));

        uint256 leftUsd6 = a.availableUsd6 + a.reserveOutUsd6;
        a.feesUsd6 = Math.min(leftUsd6, _state.feesOwedUsd6);
        leftUsd6 -= a.feesUsd6;
        a.interestUsd6 = Math.min(leftUsd6, _state.interestOwedUsd6);
        leftUsd6 -= a.interestUsd6;
        a.principalUsd6 = Math.min(leftUsd6, principalDueUsd6);
        leftUsd6 -= a.principalUsd6;

        bool repaid = _state.principalPaidUsd6 + a.principalUsd6 == _state.originalUsd6;
        if (repaid) {
            uint256 restUsd6 = _state.reserveUsd6 - a.reserveOutUsd6;
            a.reserveOutUsd6 += restUsd6;
            a.residualUsd6 = leftUsd6 + restUsd6;
            return a;
        }
        uint256 reserveUsd6 = _state.reserveUsd6 - a.reserveOutUsd6;
        uint256 gapUsd6 = _setup.reserveTargetUsd6 - Math.min(_setup.reserveTargetUsd6, reserveUsd6);
        a.reserveInUsd6 = Math.min(leftUsd6, gapUsd6);
        a.residualUsd6 = leftUsd6 - a.reserveInUsd6;
    }

    function _payOrPark(address payee, uint256 amountUsd6) private {
        if (amountUsd6 == 0) return;
        if (IERC20(_setup.cash).trySafeTransfer(payee, amountUsd6)) return;

        parkedUsd6[payee] += amountUsd6;
        _parkedTotalUsd6 += amountUsd6;

        emit PayeeParked(payee, amountUsd6);
    }
}
