// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";
import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";
import {ICouponDistributor} from "../interfaces/ICouponDistributor.sol";
import {IReportSink} from "../interfaces/IReportSink.sol";
import {IWaterfall} from "../interfaces/IWaterfall.sol";
import {BPS, CouponMath, WAD} from "../libraries/CouponMath.sol";
import {DayCount} from "../libraries/DayCount.sol";

uint256 constant MAX_CLASSES = 8;
uint256 constant MAX_STEPS = 16;

/// @title Waterfall
/// @notice Puts reported cash through the order of payment, in the transaction of the final report.
///
/// LIFE. report -> write-down -> accrue -> default? -> trigger met? -> steps in order -> coupons.
/// CASH GUARD. Never more than the bank credited (the report) and never more than has arrived (the balance):
/// missing cash holds the distribution, it does not shrink it. Cash sent here unasked is not distributed. While the
/// feed's ripcord is pulled nothing held is distributed either.
/// CORRECTIONS. A corrected report may show less than the one before. Nothing is taken back from holders: what was
/// allocated stays allocated, and new credits first make up for what was paid too much. Energy likewise.
/// ROUNDINGS. Accruals and shares are rounded down; the steps only add and subtract.
/// LIVENESS. A payee that cannot receive is parked and does not stop the coupon. Loops are bounded by eight classes and
/// sixteen steps.
/// ROLES. The feed reports. The agent posts the pool, calls the notes for the issuer, and may accelerate after a
/// default. The governor (a time-lock) puts a new coupon ledger in the place of one that handed over to it. Nobody can
/// withdraw.
contract Waterfall is IWaterfall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev One pass through the steps, in memory.
    struct Pass {
        bool breached;
        bool allDue;
        uint256 availableUsd6;
        uint256 leftUsd6;
        uint256 reserveInUsd6;
        uint256 reserveOutUsd6;
        uint256[] stepPaidUsd6;
        uint256[] interestUsd6;
        uint256[] principalUsd6;
    }

    DealTerms private _terms;
    ClassTerms[] private _classTerms;
    Step[] private _steps;
    State private _state;
    ClassState[] private _classes;
    PoolReport private _pool;
    bool private _held;
    uint256 private _parkedTotalUsd6; // [1e6]

    /// @inheritdoc IWaterfall
    mapping(uint256 stepIndex => uint256) public feeOwedUsd6; // [1e6]
    /// @inheritdoc IWaterfall
    mapping(address payee => uint256) public parkedUsd6; // [1e6]

    /// @param terms_ Parties, triggers, default terms.
    /// @param classes_ Classes of notes, senior first.
    /// @param steps_ Order of payment.
    constructor(DealTerms memory terms_, ClassTerms[] memory classes_, Step[] memory steps_) {
        // a schedule has no threshold: one that is named would be silently without effect
        bool hasThreshold = terms_.trigger != Trigger.Schedule;
        require(
            (terms_.threshold > 0) == hasThreshold, InvalidTerms("threshold", terms_.threshold, hasThreshold ? 1 : 0)
        );
        require(terms_.periodCount > 0, InvalidTerms("periodCount", terms_.periodCount, 1));
        require(
            classes_.length > 0 && classes_.length <= MAX_CLASSES,
            InvalidTerms("classes", classes_.length, MAX_CLASSES)
        );
        require(steps_.length > 0 && steps_.length <= MAX_STEPS, InvalidTerms("steps", steps_.length, MAX_STEPS));

        _terms = terms_;
        for (uint256 i = 0; i < classes_.length; ++i) {
            require(classes_[i].rateWad <= WAD, InvalidTerms("rateWad", classes_[i].rateWad, WAD));
            require(classes_[i].originalUsd6 > 0, InvalidTerms("originalUsd6", 0, 1));
            require(classes_[i].principalPeriods > 0, InvalidTerms("principalPeriods", 0, 1));
            require(
                classes_[i].frequency > 0 || classes_[i].dayCount != DayCount.Convention.ActActIcma,
                InvalidTerms("frequency", 0, 1)
            );
            _classTerms.push(classes_[i]);
            _classes.push(ClassState(classes_[i].originalUsd6, 0, 0, 0, 0, 0));
        }
        for (uint256 i = 0; i < steps_.length; ++i) {
            _requireStep(i, steps_[i], classes_.length);
            _steps.push(steps_[i]);
        }
    }

    /// @inheritdoc IWaterfall
    function postPool(uint64 periodId, PoolReport calldata pool) external nonReentrant {
        require(msg.sender == _terms.agent, OnlyAgent(msg.sender, _terms.agent));
        require(periodId == _state.periodId + 1, PeriodOutOfOrder(periodId, _state.periodId + 1));
        uint128 broughtUsd6 = _pool.advanceUsd6;

        _pool = pool;

        emit PoolPosted(periodId, pool);

        // a corrected posting brings or takes back only the difference
        if (pool.advanceUsd6 > broughtUsd6) {
            IERC20(_terms.cash).safeTransferFrom(msg.sender, address(this), pool.advanceUsd6 - broughtUsd6);
        } else if (pool.advanceUsd6 < broughtUsd6) {
            IERC20(_terms.cash).safeTransfer(msg.sender, broughtUsd6 - pool.advanceUsd6);
        }
    }

    /// @inheritdoc IWaterfall
    function fundReserve(uint128 amountUsd6) external nonReentrant {
        _state.reserveUsd6 += amountUsd6;

        emit ReserveFunded(msg.sender, amountUsd6);

        IERC20(_terms.cash).safeTransferFrom(msg.sender, address(this), amountUsd6);
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
        require(msg.sender == _terms.feed, OnlyFeed(msg.sender, _terms.feed));
        require(assetId == _terms.assetId, WrongAsset(assetId, _terms.assetId));
        require(periodId == _state.periodId + 1, PeriodOutOfOrder(periodId, _state.periodId + 1));
        if (periodId == 1) _requireIssued();

        _state.periodId = periodId;
        _state.lastPeriodEnd = periodEnd;
        _state.registerWh = registerWh;
        _state.creditedUsd6 = creditedUsd6;
        _takePool(periodStart, periodEnd);
        _declareDefault(periodEnd);

        (uint256 actual, bool met) = _triggerMet(periodEnd);
        if (!met) {
            emit DistributionDeferred(periodId, actual, _terms.threshold);
            return;
        }
        (uint256 heldUsd6, uint256 neededUsd6) = _cash();
        if (heldUsd6 < neededUsd6) {
            _held = true;
            emit DistributionHeld(periodId, heldUsd6, neededUsd6);
            return;
        }
        _distribute();
    }

    /// @inheritdoc IWaterfall
    function distribute() external nonReentrant {
        require(_held, NothingHeld());
        _requireRunning();
        (uint256 heldUsd6, uint256 neededUsd6) = _cash();
        require(heldUsd6 >= neededUsd6, CashNotArrived(heldUsd6, neededUsd6));

        _distribute();
    }

    /// @inheritdoc IWaterfall
    function accelerate() external {
        require(msg.sender == _terms.agent, OnlyAgent(msg.sender, _terms.agent));
        require(_state.defaulted, NotInDefault());

        _state.accelerated = true;

        emit Accelerated(_state.periodId);
    }

    /// @inheritdoc IWaterfall
    function callNotes() external nonReentrant {
        require(msg.sender == _terms.agent, OnlyAgent(msg.sender, _terms.agent));
        uint256 priceBps = _requireCallable();
        uint256 totalUsd6 = 0;
        uint256[] memory interestUsd6 = new uint256[](_classes.length);
        uint256[] memory principalUsd6 = new uint256[](_classes.length);
        for (uint256 i = 0; i < _classes.length; ++i) {
            interestUsd6[i] = _classes[i].interestOwedUsd6;
            principalUsd6[i] = Math.mulDiv(_classes[i].outstandingUsd6, priceBps, BPS, Math.Rounding.Ceil);
            totalUsd6 += interestUsd6[i] + principalUsd6[i];
        }

        emit Called(msg.sender, priceBps, totalUsd6);

        IERC20(_terms.cash).safeTransferFrom(msg.sender, address(this), totalUsd6);
        for (uint256 i = 0; i < _classes.length; ++i) {
            _payClass(i, interestUsd6[i], principalUsd6[i], _classes[i].outstandingUsd6);
        }
        _noteArrears();
    }

    /// @inheritdoc IWaterfall
    function retire(uint256 classIndex, address[] calldata holders) external nonReentrant {
        ClassState storage c = _classes[classIndex];
        require(c.outstandingUsd6 == 0, ClassNotRepaid(classIndex, c.outstandingUsd6));
        ICouponDistributor distributor = ICouponDistributor(_classTerms[classIndex].distributor);
        uint256 recordTime = distributor.coupon(distributor.lastCouponId()).recordTime;
        require(block.timestamp > recordTime, EntitlementOpen(classIndex, recordTime, block.timestamp));

        IBondToken bond = IBondToken(_classTerms[classIndex].bond);
        for (uint256 i = 0; i < holders.length; ++i) {
            bond.burn(holders[i], bond.balanceOf(holders[i]), "");
        }
    }

    /// @inheritdoc IWaterfall
    function replaceDistributor(uint256 classIndex, address next) external nonReentrant {
        require(msg.sender == _terms.governor, OnlyGovernor(msg.sender, _terms.governor));
        address previous = _classTerms[classIndex].distributor;
        address heir = ICouponDistributor(previous).successor();
        require(next != address(0) && heir == next, NotTheSuccessor(classIndex, next, heir));
        uint256 couponCount = ICouponDistributor(next).lastCouponId();
        require(
            couponCount == _classes[classIndex].couponCount,
            CouponCountMismatch(classIndex, couponCount, _classes[classIndex].couponCount)
        );

        _classTerms[classIndex].distributor = next;

        emit DistributorReplaced(classIndex, previous, next);
    }

    /// @inheritdoc IWaterfall
    function release(address payee) external nonReentrant {
        uint256 amountUsd6 = parkedUsd6[payee];
        require(amountUsd6 > 0, NothingParkedFor(payee));

        delete parkedUsd6[payee];
        _parkedTotalUsd6 -= amountUsd6;

        emit PayeeReleased(payee, amountUsd6);

        require(IERC20(_terms.cash).trySafeTransfer(payee, amountUsd6), PayeeCannotReceive(payee, amountUsd6));
    }

    /// @inheritdoc IWaterfall
    function dealTerms() external view returns (DealTerms memory) {
        return _terms;
    }

    /// @inheritdoc IWaterfall
    function classTerms(uint256 classIndex) external view returns (ClassTerms memory) {
        return _classTerms[classIndex];
    }

    /// @inheritdoc IWaterfall
    function steps() external view returns (Step[] memory) {
        return _steps;
    }

    /// @inheritdoc IWaterfall
    function state() external view returns (State memory) {
        return _state;
    }

    /// @inheritdoc IWaterfall
    function classState(uint256 classIndex) external view returns (ClassState memory) {
        return _classes[classIndex];
    }

    /// @inheritdoc IWaterfall
    function classCount() external view returns (uint256) {
        return _classes.length;
    }

    /// @inheritdoc IWaterfall
    function poolFactorWad(uint256 classIndex) external view returns (uint256) {
        return Math.mulDiv(_classes[classIndex].outstandingUsd6, WAD, _classTerms[classIndex].originalUsd6);
    }

    /* REPORT */

    /// @dev Write-down, accrual, and what the pool adds to what is owed; the posted figures are used once.
    function _takePool(uint64 periodStart, uint64 periodEnd) private {
        PoolReport memory pool = _pool;
        uint256 openingPoolUsd6 = _state.periodId == 1 ? pool.performingUsd6 : _state.poolUsd6;
        delete _pool;

        _writeDown(pool.lossUsd6);
        for (uint256 i = 0; i < _classes.length; ++i) {
            _accrueClass(i, periodStart, periodEnd);
        }
        _accrueFees(openingPoolUsd6, DayCount.days30360Bond(periodStart, periodEnd));
        _state.hedgeOwedUsd6 += pool.hedgeDueUsd6;
        _state.advancesUsd6 += pool.advanceUsd6;
        _state.carriedUsd6 += pool.advanceUsd6;
        _state.poolUsd6 = pool.performingUsd6;
        _state.delinquentUsd6 = pool.delinquentUsd6;
    }

    /// @dev Junior first.
    function _writeDown(uint256 lossUsd6) private {
        for (uint256 i = _classes.length; i > 0 && lossUsd6 > 0; --i) {
            ClassState storage c = _classes[i - 1];
            uint256 amountUsd6 = Math.min(lossUsd6, c.outstandingUsd6);
            if (amountUsd6 == 0) continue;
            c.outstandingUsd6 -= SafeCast.toUint128(amountUsd6);
            c.writtenDownUsd6 += SafeCast.toUint128(amountUsd6);
            lossUsd6 -= amountUsd6;
            emit WrittenDown(_state.periodId, i - 1, amountUsd6, 0);
        }
    }

    function _accrueClass(uint256 i, uint64 periodStart, uint64 periodEnd) private {
        ClassTerms storage t = _classTerms[i];
        ClassState storage c = _classes[i];
        (uint256 numerator, uint256 denominator) =
            DayCount.yearFraction(t.dayCount, periodStart, periodEnd, periodStart, periodEnd, t.frequency);
        uint256 interestUsd6 = CouponMath.accruedDown(c.outstandingUsd6, t.rateWad, numerator, denominator);
        uint256 defaultUsd6 = CouponMath.accruedDown(c.arrearsUsd6, t.defaultRateWad, numerator, denominator);
        c.interestOwedUsd6 += SafeCast.toUint128(interestUsd6 + defaultUsd6);

        emit ClassAccrued(_state.periodId, i, interestUsd6, defaultUsd6);
    }

    function _accrueFees(uint256 openingPoolUsd6, uint256 days360) private {
        uint256 notesUsd6 = _notesUsd6();
        for (uint256 i = 0; i < _steps.length; ++i) {
            Step storage step = _steps[i];
            if (step.kind != StepKind.Fee) continue;
            uint256 basisUsd6 = step.basis == Basis.Pool ? openingPoolUsd6 : notesUsd6;
            feeOwedUsd6[i] += CouponMath.accruedDown(basisUsd6, step.rateWad, days360, 360) + step.fixedUsd6;
        }
    }

    function _declareDefault(uint64 periodEnd) private {
        uint64 since = _state.arrearsSince;
        if (_terms.cureWindowS == 0 || since == 0 || _state.defaulted) return;
        if (periodEnd < uint256(since) + _terms.cureWindowS) return;

        _state.defaulted = true;
        emit EventOfDefault(_state.periodId, since);
        if (_terms.accelerateOnDefault) {
            _state.accelerated = true;
            emit Accelerated(_state.periodId);
        }
    }

    /// @dev At and after maturity, and when accelerated, every report distributes: nothing may wait for ever.
    function _triggerMet(uint64 periodEnd) private view returns (uint256 actual, bool met) {
        actual = _terms.trigger == Trigger.Energy
            ? Math.saturatingSub(_state.registerWh, _state.distributedWh)
            : _newCreditUsd6();
        // the threshold of a schedule is 0: every report distributes
        met = periodEnd >= _terms.maturityTime || _state.accelerated || actual >= _terms.threshold;
    }

    /// @dev An advance posted for the next period is not there for this one.
    function _cash() private view returns (uint256 heldUsd6, uint256 neededUsd6) {
        heldUsd6 = IERC20(_terms.cash).balanceOf(address(this));
        neededUsd6 =
            _newCreditUsd6() + _state.carriedUsd6 + _state.reserveUsd6 + _parkedTotalUsd6 + _pool.advanceUsd6;
    }

    /// @dev Credit beyond what was allocated; none while a correction has brought it below.
    function _newCreditUsd6() private view returns (uint256) {
        return Math.saturatingSub(_state.creditedUsd6, _state.allocatedUsd6);
    }

    /* DISTRIBUTION */

    function _distribute() private {
        Pass memory p = _openPass();
        for (uint256 i = 0; i < _steps.length; ++i) {
            p.stepPaidUsd6[i] = _runStep(p, i);
        }

        _held = false;
        if (_state.creditedUsd6 > _state.allocatedUsd6) _state.allocatedUsd6 = _state.creditedUsd6;
        _state.carriedUsd6 = SafeCast.toUint128(p.leftUsd6);
        if (_state.registerWh > _state.distributedWh) _state.distributedWh = _state.registerWh;

        emit Distributed(
            _state.periodId,
            p.availableUsd6,
            p.reserveInUsd6,
            p.reserveOutUsd6,
            p.leftUsd6,
            p.breached,
            p.stepPaidUsd6
        );

        for (uint256 i = 0; i < _classes.length; ++i) {
            _payClass(i, p.interestUsd6[i], p.principalUsd6[i], p.principalUsd6[i]);
        }
        _noteArrears();
        if (_state.periodId >= _terms.periodCount) _writeOff();
        for (uint256 i = 0; i < _steps.length; ++i) {
            if (_steps[i].payee != address(0)) _payOrPark(_steps[i].payee, p.stepPaidUsd6[i]);
        }
    }

    function _openPass() private returns (Pass memory p) {
        p.availableUsd6 = _newCreditUsd6() + _state.carriedUsd6;
        p.leftUsd6 = p.availableUsd6;
        p.allDue = _state.accelerated || _state.periodId >= _terms.periodCount;
        p.stepPaidUsd6 = new uint256[](_steps.length);
        p.interestUsd6 = new uint256[](_classes.length);
        p.principalUsd6 = new uint256[](_classes.length);
        p.breached = _state.breachLatched || _isBreached(p);
        if (p.breached && _terms.latched) _state.breachLatched = true;
    }

    function _isBreached(Pass memory p) private view returns (bool) {
        uint256 poolUsd6 = _state.poolUsd6;
        if (poolUsd6 > 0) {
            if (poolUsd6 * BPS < _notesUsd6() * _terms.minOcBps) return true;
            if (
                _terms.maxDelinquencyBps > 0 && _state.delinquentUsd6 * BPS > poolUsd6 * _terms.maxDelinquencyBps
            ) return true;
        }
        if (_terms.minDscrBps == 0) return false;
        uint256 feesUsd6 = 0;
        for (uint256 i = 0; i < _steps.length; ++i) {
            feesUsd6 += feeOwedUsd6[i];
        }
        uint256 serviceUsd6 = 0;
        for (uint256 i = 0; i < _classes.length; ++i) {
            serviceUsd6 += _classes[i].interestOwedUsd6 + _scheduledDueUsd6(p, i);
        }
        uint256 cashUsd6 = p.availableUsd6 - Math.min(p.availableUsd6, feesUsd6);
        return cashUsd6 * BPS < serviceUsd6 * _terms.minDscrBps;
    }

    function _runStep(Pass memory p, uint256 index) private returns (uint256 paidUsd6) {
        Step memory step = _steps[index];
        if (step.kind == StepKind.Fee) {
            paidUsd6 = _take(p, feeOwedUsd6[index], step.reserveCovers);
            feeOwedUsd6[index] -= paidUsd6;
        } else if (step.kind == StepKind.Advance) {
            paidUsd6 = _take(p, _state.advancesUsd6, step.reserveCovers);
            _state.advancesUsd6 -= SafeCast.toUint128(paidUsd6);
        } else if (step.kind == StepKind.Hedge) {
            paidUsd6 = _take(p, _state.hedgeOwedUsd6, step.reserveCovers);
            _state.hedgeOwedUsd6 -= SafeCast.toUint128(paidUsd6);
        } else if (step.kind == StepKind.Interest) {
            paidUsd6 = _take(p, _interestDueUsd6(p, step.classMask), step.reserveCovers);
            _splitInterest(p, step.classMask, paidUsd6);
        } else if (step.kind == StepKind.Reserve) {
            paidUsd6 = _runReserve(p, step);
        } else if (step.kind == StepKind.Residual) {
            if (_outstandingUsd6(p, type(uint8).max) == 0) _releaseReserve(p, 0);
            paidUsd6 = p.leftUsd6;
            p.leftUsd6 = 0;
        } else {
            uint256 dueUsd6 = Math.min(_principalDueUsd6(p, step), _outstandingUsd6(p, step.classMask));
            paidUsd6 = _take(p, dueUsd6, step.reserveCovers);
            bool proRata = step.kind == StepKind.Principal && step.proRata && !p.breached && !_state.accelerated;
            _split(p, step.classMask, paidUsd6, proRata);
        }
    }

    function _take(Pass memory p, uint256 dueUsd6, bool reserveCovers) private returns (uint256 paidUsd6) {
        paidUsd6 = Math.min(p.leftUsd6, dueUsd6);
        p.leftUsd6 -= paidUsd6;
        if (paidUsd6 == dueUsd6) return paidUsd6;
        // once all principal is due the reserve is there for every step, in order
        if (!reserveCovers && !p.allDue) return paidUsd6;

        uint256 drawnUsd6 = Math.min(_state.reserveUsd6, dueUsd6 - paidUsd6);
        _state.reserveUsd6 -= SafeCast.toUint128(drawnUsd6);
        p.reserveOutUsd6 += drawnUsd6;
        return paidUsd6 + drawnUsd6;
    }

    function _runReserve(Pass memory p, Step memory step) private returns (uint256 paidUsd6) {
        uint256 notesUsd6 = _outstandingUsd6(p, type(uint8).max);
        uint256 targetUsd6 = Math.max(step.fixedUsd6, notesUsd6 * step.bps / BPS);
        if (notesUsd6 == 0 || p.allDue) targetUsd6 = 0;

        uint256 reserveUsd6 = _state.reserveUsd6;
        if (reserveUsd6 > targetUsd6) {
            _releaseReserve(p, targetUsd6);
            return 0;
        }
        paidUsd6 = Math.min(p.leftUsd6, targetUsd6 - reserveUsd6);
        p.leftUsd6 -= paidUsd6;
        p.reserveInUsd6 += paidUsd6;
        _state.reserveUsd6 += SafeCast.toUint128(paidUsd6);
    }

    function _releaseReserve(Pass memory p, uint256 targetUsd6) private {
        uint256 releasedUsd6 = _state.reserveUsd6 - targetUsd6;
        _state.reserveUsd6 = SafeCast.toUint128(targetUsd6);
        p.reserveOutUsd6 += releasedUsd6;
        p.leftUsd6 += releasedUsd6;
    }

    function _principalDueUsd6(Pass memory p, Step memory step) private view returns (uint256 dueUsd6) {
        uint256 poolUsd6 = _state.poolUsd6;
        if (step.kind == StepKind.Turbo) return p.breached ? type(uint256).max : 0;
        if (step.kind == StepKind.FirstPriority) {
            uint256 ownUsd6 = _outstandingUsd6(p, step.classMask);
            return ownUsd6 - Math.min(ownUsd6, poolUsd6);
        }
        if (p.allDue) return type(uint256).max;
        if (step.toPool) {
            uint256 notesUsd6 = _outstandingUsd6(p, type(uint8).max);
            uint256 targetUsd6 = Math.max(step.fixedUsd6, poolUsd6 * step.bps / BPS);
            uint256 coveredUsd6 = poolUsd6 - Math.min(poolUsd6, targetUsd6);
            return notesUsd6 - Math.min(notesUsd6, coveredUsd6);
        }
        for (uint256 i = 0; i < _classes.length; ++i) {
            if (_isIn(step.classMask, i)) dueUsd6 += _scheduledDueUsd6(p, i);
        }
    }

    /// @dev Scheduled and not yet paid, at most what is outstanding less what this pass has paid already.
    function _scheduledDueUsd6(Pass memory p, uint256 i) private view returns (uint256) {
        ClassTerms storage t = _classTerms[i];
        ClassState storage c = _classes[i];
        uint256 openUsd6 = c.outstandingUsd6 - p.principalUsd6[i];
        if (p.allDue) return openUsd6;
        if (_state.periodId < t.principalStart) return 0;
        uint256 instalments = _state.periodId - t.principalStart + 1;
        uint256 scheduledUsd6 = CouponMath.scheduledPrincipalDown(t.originalUsd6, instalments, t.principalPeriods);
        uint256 doneUsd6 = uint256(c.principalPaidUsd6) + c.writtenDownUsd6 + p.principalUsd6[i];
        return Math.min(openUsd6, scheduledUsd6 - Math.min(scheduledUsd6, doneUsd6));
    }

    function _interestDueUsd6(Pass memory p, uint8 classMask) private view returns (uint256 dueUsd6) {
        for (uint256 i = 0; i < _classes.length; ++i) {
            if (_isIn(classMask, i)) dueUsd6 += _classes[i].interestOwedUsd6 - p.interestUsd6[i];
        }
    }

    /// @dev Classes of one interest step rank equally: by what each is owed, rounded down; what roundings leave goes in
    ///      order of the classes.
    function _splitInterest(Pass memory p, uint8 classMask, uint256 amountUsd6) private view {
        uint256 totalUsd6 = _interestDueUsd6(p, classMask);
        uint256 leftUsd6 = amountUsd6;
        uint256[] memory sharesUsd6 = new uint256[](_classes.length);
        for (uint256 i = 0; i < _classes.length && totalUsd6 > 0; ++i) {
            if (!_isIn(classMask, i)) continue;
            uint256 owedUsd6 = _classes[i].interestOwedUsd6 - p.interestUsd6[i];
            sharesUsd6[i] = CouponMath.shareDown(amountUsd6, owedUsd6, totalUsd6);
            leftUsd6 -= sharesUsd6[i];
        }
        for (uint256 i = 0; i < _classes.length; ++i) {
            if (!_isIn(classMask, i)) continue;
            uint256 roomUsd6 = _classes[i].interestOwedUsd6 - p.interestUsd6[i] - sharesUsd6[i];
            uint256 extraUsd6 = Math.min(leftUsd6, roomUsd6);
            leftUsd6 -= extraUsd6;
            p.interestUsd6[i] += sharesUsd6[i] + extraUsd6;
        }
    }

    /// @dev Pro rata by outstanding at the start of the step, rounded down; what roundings leave goes senior first.
    function _split(Pass memory p, uint8 classMask, uint256 amountUsd6, bool proRata) private view {
        uint256 leftUsd6 = amountUsd6;
        if (proRata) {
            uint256 totalUsd6 = _outstandingUsd6(p, classMask);
            for (uint256 i = 0; i < _classes.length && totalUsd6 > 0; ++i) {
                if (!_isIn(classMask, i)) continue;
                uint256 openUsd6 = _classes[i].outstandingUsd6 - p.principalUsd6[i];
                uint256 shareUsd6 = CouponMath.shareDown(amountUsd6, openUsd6, totalUsd6);
                p.principalUsd6[i] += shareUsd6;
                leftUsd6 -= shareUsd6;
            }
        }
        for (uint256 i = 0; i < _classes.length && leftUsd6 > 0; ++i) {
            if (!_isIn(classMask, i)) continue;
            uint256 shareUsd6 = Math.min(leftUsd6, _classes[i].outstandingUsd6 - p.principalUsd6[i]);
            p.principalUsd6[i] += shareUsd6;
            leftUsd6 -= shareUsd6;
        }
    }

    /// @dev Books what a class is paid and hands the cash to its distributor. `retiredUsd6` leaves the balance; it
    ///      differs from the principal paid only at a call above par.
    function _payClass(uint256 i, uint256 interestUsd6, uint256 principalUsd6, uint256 retiredUsd6) private {
        ClassState storage c = _classes[i];
        uint256 arrearsPaidUsd6 = Math.min(interestUsd6, c.arrearsUsd6);
        uint256 currentDueUsd6 = c.interestOwedUsd6 - c.arrearsUsd6;
        uint256 currentPaidUsd6 = interestUsd6 - arrearsPaidUsd6;
        if (currentDueUsd6 + arrearsPaidUsd6 + principalUsd6 == 0) return;

        c.interestOwedUsd6 -= SafeCast.toUint128(interestUsd6);
        c.arrearsUsd6 = c.interestOwedUsd6;
        c.principalPaidUsd6 += SafeCast.toUint128(retiredUsd6);
        c.outstandingUsd6 -= SafeCast.toUint128(retiredUsd6);
        uint64 couponId = 0;
        if (currentDueUsd6 + principalUsd6 > 0) couponId = ++c.couponCount;

        emit ClassPaid(
            _state.periodId, i, couponId, currentDueUsd6, currentPaidUsd6, arrearsPaidUsd6, principalUsd6
        );

        ICouponDistributor distributor = ICouponDistributor(_classTerms[i].distributor);
        IERC20(_terms.cash).forceApprove(address(distributor), interestUsd6 + principalUsd6);
        if (arrearsPaidUsd6 > 0) distributor.fundArrears(arrearsPaidUsd6);
        if (couponId == 0) return;
        uint64 recordTime = SafeCast.toUint64(block.timestamp + _terms.recordLagS);
        distributor.declareAndFund(couponId, recordTime, currentDueUsd6, currentPaidUsd6, principalUsd6);
    }

    /// @dev The controlling class is the most senior with anything owed.
    function _noteArrears() private {
        for (uint256 i = 0; i < _classes.length; ++i) {
            ClassState storage c = _classes[i];
            if (c.outstandingUsd6 == 0 && c.interestOwedUsd6 == 0) continue;
            if (c.arrearsUsd6 == 0) _state.arrearsSince = 0;
            else if (_state.arrearsSince == 0) _state.arrearsSince = _state.lastPeriodEnd;
            return;
        }
        _state.arrearsSince = 0;
    }

    /// @dev Legal final: what could not be paid is lost.
    function _writeOff() private {
        for (uint256 i = 0; i < _classes.length; ++i) {
            ClassState storage c = _classes[i];
            uint128 principalUsd6 = c.outstandingUsd6;
            uint128 interestUsd6 = c.interestOwedUsd6;
            if (principalUsd6 == 0 && interestUsd6 == 0) continue;
            c.outstandingUsd6 = 0;
            c.writtenDownUsd6 += principalUsd6;
            c.interestOwedUsd6 = 0;
            c.arrearsUsd6 = 0;
            emit WrittenDown(_state.periodId, i, principalUsd6, interestUsd6);
            ICouponDistributor(_classTerms[i].distributor).writeOffArrears();
        }
        _state.arrearsSince = 0;
    }

    function _payOrPark(address payee, uint256 amountUsd6) private {
        if (amountUsd6 == 0) return;
        if (IERC20(_terms.cash).trySafeTransfer(payee, amountUsd6)) return;

        parkedUsd6[payee] += amountUsd6;
        _parkedTotalUsd6 += amountUsd6;

        emit PayeeParked(payee, amountUsd6);
    }

    /* CHECKS AND SUMS */

    function _requireStep(uint256 index, Step memory step, uint256 count) private pure {
        uint8 mask = step.classMask;
        bool ofClasses = step.kind == StepKind.Interest || step.kind == StepKind.Principal
            || step.kind == StepKind.FirstPriority || step.kind == StepKind.Turbo;
        bool ofPayee = step.kind == StepKind.Fee || step.kind == StepKind.Advance || step.kind == StepKind.Hedge
            || step.kind == StepKind.Residual;
        require((mask > 0) == ofClasses && mask >> count == 0, InvalidStep(index, mask, count));
        require((step.payee != address(0)) == ofPayee, InvalidTerms("payee", index, 1));
        require(step.bps <= BPS, InvalidTerms("bps", step.bps, BPS));
        require(step.rateWad <= WAD, InvalidTerms("rateWad", step.rateWad, WAD));
    }

    /// @dev A feed may be a plain account, which has no ripcord.
    function _requireRunning() private view {
        if (_terms.feed.code.length == 0) return;
        bool isPulled = ICashflowFeed(_terms.feed).isRipcordPulled(_terms.assetId);
        require(!isPulled, FeedStopped(_terms.feed, _terms.assetId));
    }

    function _requireIssued() private view {
        for (uint256 i = 0; i < _classes.length; ++i) {
            IBondToken bond = IBondToken(_classTerms[i].bond);
            uint256 issuedUsd6 = bond.totalSupply() * bond.terms().faceUsd6;
            require(
                issuedUsd6 == _classTerms[i].originalUsd6,
                OriginalMismatch(i, issuedUsd6, _classTerms[i].originalUsd6)
            );
        }
    }

    function _requireCallable() private view returns (uint256 priceBps) {
        uint256 originalUsd6 = 0;
        for (uint256 i = 0; i < _classTerms.length; ++i) {
            originalUsd6 += _classTerms[i].originalUsd6;
        }
        uint256 notesUsd6 = _notesUsd6();
        if (notesUsd6 > 0 && notesUsd6 * BPS <= originalUsd6 * _terms.cleanUpBps) return BPS;
        bool open = notesUsd6 > 0 && _terms.callTime > 0 && block.timestamp >= _terms.callTime;
        require(
            open, CallNotAllowed(block.timestamp, _terms.callTime, notesUsd6 * BPS / originalUsd6, _terms.cleanUpBps)
        );
        return _terms.callPriceBps;
    }

    function _notesUsd6() private view returns (uint256 notesUsd6) {
        for (uint256 i = 0; i < _classes.length; ++i) {
            notesUsd6 += _classes[i].outstandingUsd6;
        }
    }

    function _outstandingUsd6(Pass memory p, uint8 classMask) private view returns (uint256 outstandingUsd6) {
        for (uint256 i = 0; i < _classes.length; ++i) {
            if (_isIn(classMask, i)) outstandingUsd6 += _classes[i].outstandingUsd6 - p.principalUsd6[i];
        }
    }

    function _isIn(uint8 classMask, uint256 i) private pure returns (bool) {
        return (classMask >> i) & 1 == 1;
    }
}
