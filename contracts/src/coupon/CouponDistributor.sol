// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";
import {ICouponDistributor} from "../interfaces/ICouponDistributor.sol";
import {CouponMath} from "../libraries/CouponMath.sol";

uint256 constant MAX_PAGE = 200; // holders served by one call

/// @title CouponDistributor
/// @notice Coupon ledger of one bond: declared, funded, then paid by record time in pages anyone may push.
///
/// LIFE. declare -> fund -> (record second over) -> pay, pay, ... -> closed; arrears: fundArrears -> payArrears.
/// ARREARS. Interest due and not paid stays owed to the coupon's holders of record, oldest coupon first. With the sum of
/// arrears booked before a coupon and the sum paid so far, what a coupon has received needs no loop.
/// ENTITLEMENT. Holders and supply are read at the record time, never now: transfers after it change nothing.
/// ROUNDINGS. One floor per holder over an exact rational; when all units are served the remainder is
/// carried into the next coupon funded. So funded = paid + carried, exactly.
/// PAYEES. One that cannot receive is parked and does not stop the page.
/// TOKEN REQUIREMENTS. Cash moves exactly the amount asked for, or fails.
/// ROLES. Engine declares and funds. Paying and releasing need no role.
contract CouponDistributor is ICouponDistributor, AccessControl, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using BitMaps for BitMaps.BitMap;

    bytes32 public constant ENGINE_ROLE = keccak256("ENGINE_ROLE");

    IBondToken public immutable BOND;
    IERC20 public immutable CASH;

    /// @inheritdoc ICouponDistributor
    uint256 public lastCouponId;
    /// @inheritdoc ICouponDistributor
    uint256 public carryUsd6; // [1e6]

    /// @inheritdoc ICouponDistributor
    uint256 public arrearsBookedUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public arrearsPaidUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public arrearsWrittenOffUsd6; // [1e6]

    mapping(uint256 couponId => Coupon) private _coupons;
    mapping(uint256 couponId => mapping(address holder => uint256)) private _arrearsServedUsd6; // [1e6]
    mapping(address holder => BitMaps.BitMap) private _served; // one bit per coupon id
    mapping(address holder => BitMaps.BitMap) private _arrearsClosed; // one bit per coupon id
    /// @inheritdoc ICouponDistributor
    mapping(uint256 couponId => mapping(address holder => uint256)) public parkedUsd6; // [1e6]

    /// @param bond Register that answers balances at a past record time.
    /// @param cash Token the coupons are paid in.
    /// @param admin Account that grants the engine role.
    constructor(IBondToken bond, IERC20 cash, address admin) {
        BOND = bond;
        CASH = cash;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc ICouponDistributor
    function declare(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) external onlyRole(ENGINE_ROLE) {
        require(couponId == lastCouponId + 1, WrongCouponId(couponId, lastCouponId + 1));
        require(recordTime >= block.timestamp, RecordTimeInPast(couponId, recordTime, block.timestamp));
        require(interestUsd6 <= interestDueUsd6, PaidAboveDue(couponId, interestUsd6, interestDueUsd6));
        require(interestDueUsd6 + principalUsd6 > 0, NothingDeclared(couponId));

        lastCouponId = couponId;
        Coupon storage c = _coupons[couponId];
        c.status = CouponStatus.Declared;
        c.recordTime = recordTime;
        c.interestUsd6 = SafeCast.toUint128(interestUsd6);
        c.principalUsd6 = SafeCast.toUint128(principalUsd6);
        if (interestDueUsd6 > interestUsd6) {
            c.arrearsUsd6 = SafeCast.toUint128(interestDueUsd6 - interestUsd6);
            c.arrearsBeforeUsd6 = SafeCast.toUint128(arrearsBookedUsd6);
            arrearsBookedUsd6 += c.arrearsUsd6;
        }

        emit CouponDeclared(couponId, recordTime, interestDueUsd6, interestUsd6, principalUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function fundArrears(uint256 amountUsd6) external onlyRole(ENGINE_ROLE) nonReentrant {
        uint256 openUsd6 = arrearsBookedUsd6 - arrearsPaidUsd6 - arrearsWrittenOffUsd6;
        require(amountUsd6 <= openUsd6, ArrearsExceeded(amountUsd6, openUsd6));

        arrearsPaidUsd6 += amountUsd6;

        emit ArrearsFunded(amountUsd6, arrearsPaidUsd6, arrearsBookedUsd6);

        CASH.safeTransferFrom(msg.sender, address(this), amountUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function writeOffArrears() external onlyRole(ENGINE_ROLE) {
        uint256 openUsd6 = arrearsBookedUsd6 - arrearsPaidUsd6 - arrearsWrittenOffUsd6;
        if (openUsd6 == 0) return;

        arrearsWrittenOffUsd6 += openUsd6;

        emit ArrearsWrittenOff(openUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function fund(uint256 couponId) external onlyRole(ENGINE_ROLE) nonReentrant {
        Coupon storage c = _coupons[couponId];
        _requireStatus(couponId, CouponStatus.Declared);

        uint256 amountUsd6 = uint256(c.interestUsd6) + c.principalUsd6;
        uint256 carriedUsd6 = carryUsd6;
        c.status = CouponStatus.Funded;
        c.fundedUsd6 = SafeCast.toUint128(amountUsd6 + carriedUsd6);
        carryUsd6 = 0;

        emit CouponFunded(couponId, amountUsd6, carriedUsd6);

        if (amountUsd6 > 0) CASH.safeTransferFrom(msg.sender, address(this), amountUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function pay(uint256 couponId, address[] calldata holders) external nonReentrant {
        Coupon storage c = _openPage(couponId, holders.length);

        for (uint256 i = 0; i < holders.length; ++i) {
            _serve(couponId, c, holders[i]);
        }
    }

    /// @inheritdoc ICouponDistributor
    function payArrears(uint256 couponId, address[] calldata holders) external nonReentrant {
        Coupon storage c = _openPage(couponId, holders.length);
        uint256 fundedUsd6 = arrearsFundedUsd6(couponId);

        for (uint256 i = 0; i < holders.length; ++i) {
            _serveArrears(couponId, c, holders[i], fundedUsd6);
        }
    }

    /// @inheritdoc ICouponDistributor
    function releaseParked(uint256 couponId, address holder) external nonReentrant {
        uint256 amountUsd6 = parkedUsd6[couponId][holder];
        require(amountUsd6 > 0, NothingParked(couponId, holder));

        delete parkedUsd6[couponId][holder];

        emit ParkedReleased(couponId, holder, amountUsd6);

        require(CASH.trySafeTransfer(holder, amountUsd6), StillCannotReceive(couponId, holder, amountUsd6));
    }

    /// @inheritdoc ICouponDistributor
    function arrearsFundedUsd6(uint256 couponId) public view returns (uint256) {
        Coupon storage c = _coupons[couponId];
        uint256 reachedUsd6 = arrearsPaidUsd6 - Math.min(arrearsPaidUsd6, c.arrearsBeforeUsd6);
        return Math.min(c.arrearsUsd6, reachedUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function arrearsOfUsd6(uint256 couponId, address holder) external view returns (uint256) {
        Coupon storage c = _coupons[couponId];
        if (c.status == CouponStatus.None || block.timestamp <= c.recordTime) return 0;
        uint256 supplyUnits = BOND.totalSupplyAt(c.recordTime);
        if (supplyUnits == 0) return 0;
        uint256 units = BOND.balanceOfAt(holder, c.recordTime);
        uint256 arrearsUsd6 = arrearsWrittenOffUsd6 > 0 ? arrearsFundedUsd6(couponId) : c.arrearsUsd6;
        return CouponMath.shareDown(arrearsUsd6, units, supplyUnits) - _arrearsServedUsd6[couponId][holder];
    }

    /// @inheritdoc ICouponDistributor
    function coupon(uint256 couponId) external view returns (Coupon memory) {
        return _coupons[couponId];
    }

    /// @inheritdoc ICouponDistributor
    function isServed(uint256 couponId, address holder) external view returns (bool) {
        return _served[holder].get(couponId);
    }

    /// @inheritdoc ICouponDistributor
    function owedUsd6(uint256 couponId, address holder) external view returns (uint256) {
        Coupon storage c = _coupons[couponId];
        if (c.status != CouponStatus.Funded || block.timestamp <= c.recordTime) return 0;
        if (_served[holder].get(couponId)) return 0;
        uint256 supplyUnits = BOND.totalSupplyAt(c.recordTime);
        if (supplyUnits == 0) return 0;
        return CouponMath.shareDown(c.fundedUsd6, BOND.balanceOfAt(holder, c.recordTime), supplyUnits);
    }

    function _openPage(uint256 couponId, uint256 count) private returns (Coupon storage c) {
        require(count <= MAX_PAGE, TooManyHolders(count, MAX_PAGE));
        c = _coupons[couponId];
        _requireStatus(couponId, CouponStatus.Funded);
        require(block.timestamp > c.recordTime, BeforeRecordTime(couponId, c.recordTime, block.timestamp));
        if (c.supplyUnits != 0) return c;

        uint256 supplyUnits = BOND.totalSupplyAt(c.recordTime);
        require(supplyUnits > 0, NoUnitsAtRecordTime(couponId));
        c.supplyUnits = SafeCast.toUint128(supplyUnits);
    }

    function _serve(uint256 couponId, Coupon storage c, address holder) private {
        if (_served[holder].get(couponId)) return;
        uint256 units = BOND.balanceOfAt(holder, c.recordTime);
        if (units == 0) return;

        uint256 amountUsd6 = CouponMath.shareDown(c.fundedUsd6, units, c.supplyUnits);
        _served[holder].set(couponId);
        c.paidUsd6 += SafeCast.toUint128(amountUsd6);
        c.paidUnits += SafeCast.toUint128(units);
        if (c.paidUnits == c.supplyUnits) _close(couponId, c);

        if (_deliver(couponId, holder, amountUsd6)) emit CouponPaid(couponId, holder, units, amountUsd6);
        else emit CouponParked(couponId, holder, units, amountUsd6);
    }

    /// @dev Once a coupon's arrears are funded whole and every unit is served, what the floors left is carried.
    function _serveArrears(uint256 couponId, Coupon storage c, address holder, uint256 fundedUsd6) private {
        uint256 units = BOND.balanceOfAt(holder, c.recordTime);
        uint256 entitledUsd6 = CouponMath.shareDown(fundedUsd6, units, c.supplyUnits);
        uint256 amountUsd6 = entitledUsd6 - _arrearsServedUsd6[couponId][holder];
        _arrearsServedUsd6[couponId][holder] = entitledUsd6;
        c.arrearsServedUsd6 += SafeCast.toUint128(amountUsd6);
        if (fundedUsd6 == c.arrearsUsd6 && units > 0 && !_arrearsClosed[holder].get(couponId)) {
            _arrearsClosed[holder].set(couponId);
            c.arrearsServedUnits += SafeCast.toUint128(units);
            if (c.arrearsServedUnits == c.supplyUnits) {
                carryUsd6 += c.arrearsUsd6 - c.arrearsServedUsd6;
            }
        }
        if (amountUsd6 == 0) return;

        if (_deliver(couponId, holder, amountUsd6)) emit ArrearsPaid(couponId, holder, amountUsd6);
        else emit ArrearsParked(couponId, holder, amountUsd6);
    }

    /// @dev That a payee cannot receive is known only after the attempt; the guard keeps re-entry out.
    function _deliver(uint256 couponId, address holder, uint256 amountUsd6) private returns (bool) {
        if (amountUsd6 == 0 || CASH.trySafeTransfer(holder, amountUsd6)) return true;

        parkedUsd6[couponId][holder] += amountUsd6;
        return false;
    }

    function _close(uint256 couponId, Coupon storage c) private {
        uint256 remainderUsd6 = c.fundedUsd6 - c.paidUsd6;
        carryUsd6 += remainderUsd6;

        emit CouponClosed(couponId, remainderUsd6);
    }

    function _requireStatus(uint256 couponId, CouponStatus expected) private view {
        CouponStatus actual = _coupons[couponId].status;
        require(actual == expected, WrongCouponStatus(couponId, actual, expected));
    }
}
