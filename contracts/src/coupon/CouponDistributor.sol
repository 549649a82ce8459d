// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IBondToken} from "../interfaces/IBondToken.sol";
import {ICouponDistributor} from "../interfaces/ICouponDistributor.sol";
import {BPS, CouponMath} from "../libraries/CouponMath.sol";

uint256 constant MAX_PAGE = 200; // holders served by one call

/// @title CouponDistributor
/// @notice Coupon ledger of one bond: declared, funded, then paid by record date in pages anyone may push.
///
/// LIFE. declare -> fund -> (record date over) -> claimMany, claimMany, ... -> closed, or expired after the claim
/// window; arrears: fundArrears -> claimArrears. At the end of its life, or when a fault is found: pause -> handOver.
/// ENTITLEMENT. Holders and supply are read at the record date, never now: transfers after it change nothing. What a
/// lost and recovered wallet is owed goes to the wallet that replaced it.
/// ARREARS. Interest due and not paid stays owed to the coupon's holders of record, oldest coupon first. With the sum of
/// arrears booked before a coupon and the sum paid so far, what a coupon has received needs no loop.
/// ROUNDINGS. One floor per holder over an exact rational; when all units are served the remainder is carried into the
/// next coupon funded. So funded = paid + carried + expired, exactly. Tax is one more floor, in favour of the holder.
/// PAYEES. One that cannot receive, or is frozen in the register, is parked and does not stop the page.
/// MIGRATION. The successor reads this ledger, which no longer changes, for whatever was served here: nothing is copied
/// holder by holder.
/// TOKEN REQUIREMENTS. Cash moves exactly the amount asked for, or fails.
/// ROLES. Engine declares and funds. Guardian pauses. Admin grants roles and migrates. Claiming needs no role.
contract CouponDistributor is ICouponDistributor, AccessControl, Pausable, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using BitMaps for BitMaps.BitMap;

    /// @dev What a page adds up before it is written once.
    struct Page {
        uint256[] units; // [1e0] by holder
        address[] payees; // by holder; address(0) cannot be paid now
        uint256 taxBps;
        bool isInherited;
        uint256 paidUsd6;
        uint256 paidUnits;
        uint256 deliveredUsd6;
        uint256 withheldUsd6;
    }

    /// @dev A holder of record, who is paid for it, and for how many units.
    struct Payee {
        address holder;
        address wallet;
        uint256 units;
    }

    bytes32 public constant ENGINE_ROLE = keccak256("ENGINE_ROLE");
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    IBondToken public immutable BOND;
    IERC20 public immutable CASH;
    ICouponDistributor public immutable PREDECESSOR;

    CouponTerms private _terms;
    /// @inheritdoc ICouponDistributor
    address public successor;
    uint256 private _inheritedCoupons; // coupons declared by the predecessors

    /// @inheritdoc ICouponDistributor
    uint256 public lastCouponId;
    /// @inheritdoc ICouponDistributor
    uint256 public carryUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public heldUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public withheldUsd6; // [1e6]

    /// @inheritdoc ICouponDistributor
    uint256 public arrearsBookedUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public arrearsPaidUsd6; // [1e6]
    /// @inheritdoc ICouponDistributor
    uint256 public arrearsWrittenOffUsd6; // [1e6]

    mapping(uint256 couponId => Coupon) private _coupons;
    mapping(uint256 couponId => mapping(address holder => uint256)) private _arrearsServedUsd6; // [1e6], here
    mapping(uint256 couponId => mapping(address holder => uint256)) private _parkedUsd6; // [1e6], here
    mapping(address holder => BitMaps.BitMap) private _served; // one bit per coupon id
    mapping(address holder => BitMaps.BitMap) private _arrearsClosed; // one bit per coupon id
    mapping(address holder => BitMaps.BitMap) private _inheritedReleased; // one bit per coupon id

    /// @param bond Register that answers balances at a past record date.
    /// @param cash Token the coupons are paid in.
    /// @param terms Terms of payment.
    /// @param predecessor Ledger this one replaces; address(0) for the first.
    /// @param admin Account that grants the roles and migrates.
    constructor(
        IBondToken bond,
        IERC20 cash,
        CouponTerms memory terms,
        ICouponDistributor predecessor,
        address admin
    ) {
        require(terms.withholdingBps <= BPS, InvalidCouponTerms("withholdingBps", terms.withholdingBps, BPS));
        require(terms.withholdingBps == 0 || terms.taxPayee != address(0), InvalidCouponTerms("taxPayee", 0, 1));
        require(terms.claimWindowS == 0 || terms.expiredTo != address(0), InvalidCouponTerms("expiredTo", 0, 1));

        BOND = bond;
        CASH = cash;
        PREDECESSOR = predecessor;
        _terms = terms;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /* DECLARING AND FUNDING */

    /// @inheritdoc ICouponDistributor
    function declare(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) external onlyRole(ENGINE_ROLE) whenNotPaused {
        _declare(couponId, recordTime, interestDueUsd6, interestUsd6, principalUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function fund(uint256 couponId) external onlyRole(ENGINE_ROLE) whenNotPaused nonReentrant {
        _fund(couponId);
    }

    /// @inheritdoc ICouponDistributor
    function declareAndFund(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) external onlyRole(ENGINE_ROLE) whenNotPaused nonReentrant {
        _declare(couponId, recordTime, interestDueUsd6, interestUsd6, principalUsd6);
        _fund(couponId);
    }

    /// @inheritdoc ICouponDistributor
    function fundArrears(uint256 amountUsd6) external onlyRole(ENGINE_ROLE) whenNotPaused nonReentrant {
        uint256 openUsd6 = arrearsBookedUsd6 - arrearsPaidUsd6 - arrearsWrittenOffUsd6;
        require(amountUsd6 <= openUsd6, ArrearsExceeded(amountUsd6, openUsd6));

        arrearsPaidUsd6 += amountUsd6;
        heldUsd6 += amountUsd6;

        emit ArrearsFunded(amountUsd6, arrearsPaidUsd6, arrearsBookedUsd6);

        CASH.safeTransferFrom(msg.sender, address(this), amountUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function writeOffArrears() external onlyRole(ENGINE_ROLE) whenNotPaused {
        uint256 openUsd6 = arrearsBookedUsd6 - arrearsPaidUsd6 - arrearsWrittenOffUsd6;
        if (openUsd6 == 0) return;

        arrearsWrittenOffUsd6 += openUsd6;

        emit ArrearsWrittenOff(openUsd6);
    }

    /* CLAIMING */

    /// @inheritdoc ICouponDistributor
    function claimMany(uint256 couponId, address[] calldata holders) external whenNotPaused nonReentrant {
        Coupon storage c = _openPage(couponId, holders.length);

        _claimPage(couponId, c, holders);
    }

    /// @inheritdoc ICouponDistributor
    function claim(uint256 couponId) external whenNotPaused nonReentrant {
        Coupon storage c = _openPage(couponId, 1);

        address[] memory holders = new address[](1);
        holders[0] = msg.sender;
        _claimPage(couponId, c, holders);
    }

    /// @inheritdoc ICouponDistributor
    function claimArrears(uint256 couponId, address[] calldata holders) external whenNotPaused nonReentrant {
        Coupon storage c = _openPage(couponId, holders.length);
        uint256 fundedUsd6 = arrearsFundedUsd6(couponId);

        Page memory page = _newPage(couponId, c, holders);
        for (uint256 i = 0; i < holders.length; ++i) {
            _serveArrears(couponId, c, Payee(holders[i], page.payees[i], page.units[i]), fundedUsd6, page);
        }
        _settleCash(page);
    }

    /// @inheritdoc ICouponDistributor
    function releaseParked(uint256 couponId, address holder) external whenNotPaused nonReentrant {
        uint256 amountUsd6 = parkedUsd6(couponId, holder);
        require(amountUsd6 > 0, NothingParked(couponId, holder));
        (address payee, bool isPayable) = BOND.payeeOf(holder);
        require(isPayable, StillCannotReceive(couponId, holder, amountUsd6));

        delete _parkedUsd6[couponId][holder];
        if (couponId <= _inheritedCoupons) _inheritedReleased[holder].set(couponId);
        heldUsd6 -= amountUsd6;

        emit ParkedReleased(couponId, holder, amountUsd6);

        require(CASH.trySafeTransfer(payee, amountUsd6), StillCannotReceive(couponId, holder, amountUsd6));
    }

    /// @inheritdoc ICouponDistributor
    function expire(uint256 couponId) external whenNotPaused nonReentrant {
        Coupon storage c = _couponForWriting(couponId);
        _requireStatus(couponId, c, CouponStatus.Funded);
        uint256 closesAt = _terms.claimWindowS == 0 ? type(uint256).max : c.recordTime + _terms.claimWindowS;
        require(block.timestamp > closesAt, ClaimWindowOpen(couponId, closesAt, block.timestamp));

        // once all units are served the rest was carried, and nothing is left to expire
        bool isClosed = c.supplyUnits > 0 && c.paidUnits == c.supplyUnits;
        uint256 amountUsd6 = isClosed ? 0 : c.fundedUsd6 - c.paidUsd6;
        c.status = CouponStatus.Expired;
        heldUsd6 -= amountUsd6;

        emit CouponExpired(couponId, amountUsd6);

        if (amountUsd6 > 0) CASH.safeTransfer(_terms.expiredTo, amountUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function remitTax() external whenNotPaused nonReentrant {
        uint256 amountUsd6 = withheldUsd6;
        require(amountUsd6 > 0, NothingWithheld());

        withheldUsd6 = 0;
        heldUsd6 -= amountUsd6;

        emit TaxRemitted(_terms.taxPayee, amountUsd6);

        CASH.safeTransfer(_terms.taxPayee, amountUsd6);
    }

    /* MIGRATION */

    /// @notice Stops everything but reading.
    function pause() external onlyRole(GUARDIAN_ROLE) {
        _pause();
    }

    /// @notice Goes on, unless the ledger was handed over.
    function unpause() external onlyRole(GUARDIAN_ROLE) {
        require(successor == address(0), HandedOverTo(successor));

        _unpause();
    }

    /// @inheritdoc ICouponDistributor
    function handOver(address next) external onlyRole(DEFAULT_ADMIN_ROLE) whenPaused nonReentrant {
        require(successor == address(0), HandedOverTo(successor));
        ICouponDistributor heir = ICouponDistributor(next);
        bool isHeir = address(heir.BOND()) == address(BOND) && address(heir.CASH()) == address(CASH)
            && address(heir.PREDECESSOR()) == address(this);
        require(isHeir, WrongSuccessor(address(heir.BOND()), address(heir.CASH())));

        uint256 cashUsd6 = CASH.balanceOf(address(this));
        successor = next;

        emit HandedOver(next, cashUsd6);

        CASH.safeTransfer(next, cashUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function takeOver() external onlyRole(DEFAULT_ADMIN_ROLE) {
        require(lastCouponId == 0, AlreadyTakenOver(lastCouponId));
        address heir = PREDECESSOR.successor();
        require(heir == address(this), NotHandedOver(address(PREDECESSOR), heir, address(this)));
        uint256 expectedUsd6 = PREDECESSOR.heldUsd6();
        uint256 actualUsd6 = CASH.balanceOf(address(this));
        require(actualUsd6 >= expectedUsd6, CashMissing(actualUsd6, expectedUsd6));

        lastCouponId = PREDECESSOR.lastCouponId();
        _inheritedCoupons = lastCouponId;
        heldUsd6 = expectedUsd6;
        carryUsd6 = PREDECESSOR.carryUsd6();
        withheldUsd6 = PREDECESSOR.withheldUsd6();
        arrearsBookedUsd6 = PREDECESSOR.arrearsBookedUsd6();
        arrearsPaidUsd6 = PREDECESSOR.arrearsPaidUsd6();
        arrearsWrittenOffUsd6 = PREDECESSOR.arrearsWrittenOffUsd6();

        emit TakenOver(address(PREDECESSOR), lastCouponId, expectedUsd6);
    }

    /* READING */

    /// @inheritdoc ICouponDistributor
    function couponTerms() external view returns (CouponTerms memory) {
        return _terms;
    }

    /// @inheritdoc ICouponDistributor
    function coupon(uint256 couponId) public view returns (Coupon memory c) {
        c = _coupons[couponId];
        if (c.status == CouponStatus.None && couponId <= _inheritedCoupons) c = PREDECESSOR.coupon(couponId);
    }

    /// @inheritdoc ICouponDistributor
    function isServed(uint256 couponId, address holder) public view returns (bool) {
        return _served[holder].get(couponId)
            || (couponId <= _inheritedCoupons && PREDECESSOR.isServed(couponId, holder));
    }

    /// @inheritdoc ICouponDistributor
    function isArrearsClosed(uint256 couponId, address holder) public view returns (bool) {
        return _arrearsClosed[holder].get(couponId)
            || (couponId <= _inheritedCoupons && PREDECESSOR.isArrearsClosed(couponId, holder));
    }

    /// @inheritdoc ICouponDistributor
    function arrearsServedUsd6(uint256 couponId, address holder) public view returns (uint256 servedUsd6) {
        servedUsd6 = _arrearsServedUsd6[couponId][holder];
        if (couponId <= _inheritedCoupons) servedUsd6 += PREDECESSOR.arrearsServedUsd6(couponId, holder);
    }

    /// @inheritdoc ICouponDistributor
    function parkedUsd6(uint256 couponId, address holder) public view returns (uint256 amountUsd6) {
        amountUsd6 = _parkedUsd6[couponId][holder];
        if (couponId <= _inheritedCoupons && !_inheritedReleased[holder].get(couponId)) {
            amountUsd6 += PREDECESSOR.parkedUsd6(couponId, holder);
        }
    }

    /// @inheritdoc ICouponDistributor
    function arrearsFundedUsd6(uint256 couponId) public view returns (uint256) {
        Coupon memory c = coupon(couponId);
        uint256 reachedUsd6 = arrearsPaidUsd6 - Math.min(arrearsPaidUsd6, c.arrearsBeforeUsd6);
        return Math.min(c.arrearsUsd6, reachedUsd6);
    }

    /// @inheritdoc ICouponDistributor
    function arrearsOfUsd6(uint256 couponId, address holder) external view returns (uint256) {
        Coupon memory c = coupon(couponId);
        if (c.status == CouponStatus.None || block.timestamp <= c.recordTime) return 0;
        uint256 supplyUnits = BOND.supplyAt(c.recordId);
        if (supplyUnits == 0) return 0;
        uint256 arrearsUsd6 = arrearsWrittenOffUsd6 > 0 ? arrearsFundedUsd6(couponId) : c.arrearsUsd6;
        return CouponMath.shareDown(arrearsUsd6, BOND.unitsAt(c.recordId, holder), supplyUnits)
            - arrearsServedUsd6(couponId, holder);
    }

    /// @inheritdoc ICouponDistributor
    function owedUsd6(uint256 couponId, address holder) external view returns (uint256) {
        Coupon memory c = coupon(couponId);
        if (c.status != CouponStatus.Funded || block.timestamp <= c.recordTime) return 0;
        if (isServed(couponId, holder)) return 0;
        uint256 supplyUnits = BOND.supplyAt(c.recordId);
        if (supplyUnits == 0) return 0;
        return CouponMath.shareDown(c.fundedUsd6, BOND.unitsAt(c.recordId, holder), supplyUnits);
    }

    /* INTERNALS */

    function _declare(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) private {
        require(couponId == lastCouponId + 1, WrongCouponId(couponId, lastCouponId + 1));
        require(interestUsd6 <= interestDueUsd6, PaidAboveDue(couponId, interestUsd6, interestDueUsd6));
        require(interestDueUsd6 + principalUsd6 > 0, NothingDeclared(couponId));

        lastCouponId = couponId;
        Coupon storage c = _coupons[couponId];
        c.status = CouponStatus.Declared;
        c.recordTime = recordTime;
        c.recordId = SafeCast.toUint24(BOND.declareRecordDate(recordTime));
        c.interestUsd6 = SafeCast.toUint128(interestUsd6);
        c.principalUsd6 = SafeCast.toUint128(principalUsd6);
        if (interestDueUsd6 > interestUsd6) {
            c.arrearsUsd6 = SafeCast.toUint128(interestDueUsd6 - interestUsd6);
            c.arrearsBeforeUsd6 = SafeCast.toUint128(arrearsBookedUsd6);
            arrearsBookedUsd6 += c.arrearsUsd6;
        }

        emit CouponDeclared(couponId, recordTime, interestDueUsd6, interestUsd6, principalUsd6);
    }

    function _fund(uint256 couponId) private {
        Coupon storage c = _couponForWriting(couponId);
        _requireStatus(couponId, c, CouponStatus.Declared);

        uint256 amountUsd6 = uint256(c.interestUsd6) + c.principalUsd6;
        uint256 carriedUsd6 = carryUsd6;
        c.status = CouponStatus.Funded;
        c.fundedUsd6 = SafeCast.toUint128(amountUsd6 + carriedUsd6);
        if (carriedUsd6 > 0) carryUsd6 = 0;
        heldUsd6 += amountUsd6;

        emit CouponFunded(couponId, amountUsd6, carriedUsd6);

        if (amountUsd6 > 0) CASH.safeTransferFrom(msg.sender, address(this), amountUsd6);
    }

    function _openPage(uint256 couponId, uint256 count) private returns (Coupon storage c) {
        require(count <= MAX_PAGE, TooManyHolders(count, MAX_PAGE));
        c = _couponForWriting(couponId);
        _requireStatus(couponId, c, CouponStatus.Funded);
        require(block.timestamp > c.recordTime, BeforeRecordTime(couponId, c.recordTime, block.timestamp));
        if (c.supplyUnits != 0) return c;

        uint256 supplyUnits = BOND.supplyAt(c.recordId);
        require(supplyUnits > 0, NoUnitsAtRecordTime(couponId));
        c.supplyUnits = SafeCast.toUint128(supplyUnits);
    }

    function _newPage(uint256 couponId, Coupon storage c, address[] memory holders)
        private
        view
        returns (Page memory page)
    {
        (page.units, page.payees) = BOND.entitlementsAt(c.recordId, holders);
        page.taxBps = _terms.withholdingBps;
        page.isInherited = couponId <= _inheritedCoupons;
    }

    function _claimPage(uint256 couponId, Coupon storage c, address[] memory holders) private {
        Coupon memory read = c;
        Page memory page = _newPage(couponId, c, holders);
        for (uint256 i = 0; i < holders.length; ++i) {
            _serve(couponId, read, Payee(holders[i], page.payees[i], page.units[i]), page);
        }
        _writePage(couponId, c, page);
    }

    function _serve(uint256 couponId, Coupon memory c, Payee memory payee, Page memory page) private {
        if (payee.units == 0) return;
        BitMaps.BitMap storage served = _served[payee.holder];
        if (served.get(couponId)) return;
        if (page.isInherited && PREDECESSOR.isServed(couponId, payee.holder)) return;

        uint256 amountUsd6 = CouponMath.shareDown(c.fundedUsd6, payee.units, c.supplyUnits);
        served.set(couponId);
        page.paidUsd6 += amountUsd6;
        page.paidUnits += payee.units;
        uint256 netUsd6 = amountUsd6;
        if (page.taxBps > 0) {
            uint256 interestUsd6 = CouponMath.shareDown(c.interestUsd6, payee.units, c.supplyUnits);
            netUsd6 -= _withhold(couponId, payee, interestUsd6, page);
        }

        if (_deliver(couponId, payee, netUsd6, page)) emit CouponPaid(couponId, payee.holder, payee.units, netUsd6);
        else emit CouponParked(couponId, payee.holder, payee.units, netUsd6);
    }

    /// @dev Once a coupon's arrears are funded whole and every unit is served, what the floors left is carried.
    function _serveArrears(
        uint256 couponId,
        Coupon storage c,
        Payee memory payee,
        uint256 fundedUsd6,
        Page memory page
    ) private {
        address holder = payee.holder;
        uint256 amountUsd6 = CouponMath.shareDown(fundedUsd6, payee.units, c.supplyUnits);
        amountUsd6 -= arrearsServedUsd6(couponId, holder);
        _arrearsServedUsd6[couponId][holder] += amountUsd6;
        c.arrearsServedUsd6 += SafeCast.toUint128(amountUsd6);
        if (fundedUsd6 == c.arrearsUsd6 && payee.units > 0 && !isArrearsClosed(couponId, holder)) {
            _arrearsClosed[holder].set(couponId);
            c.arrearsServedUnits += SafeCast.toUint128(payee.units);
            if (c.arrearsServedUnits == c.supplyUnits) {
                carryUsd6 += c.arrearsUsd6 - c.arrearsServedUsd6;
            }
        }
        if (amountUsd6 == 0) return;

        uint256 netUsd6 = amountUsd6 - _withhold(couponId, payee, amountUsd6, page);
        if (_deliver(couponId, payee, netUsd6, page)) emit ArrearsPaid(couponId, holder, netUsd6);
        else emit ArrearsParked(couponId, holder, netUsd6);
    }

    /// @dev The class is that of the wallet that stands for the holder, also while it is frozen.
    function _withhold(uint256 couponId, Payee memory payee, uint256 interestUsd6, Page memory page)
        private
        returns (uint256 taxUsd6)
    {
        if (page.taxBps == 0) return 0;
        (address wallet,) = BOND.payeeOf(payee.holder);
        if (_terms.exemptClassMask & (uint256(1) << BOND.investorClassOf(wallet)) != 0) return 0;

        taxUsd6 = interestUsd6 * page.taxBps / BPS;
        page.withheldUsd6 += taxUsd6;

        if (taxUsd6 > 0) emit TaxWithheld(couponId, payee.holder, taxUsd6);
    }

    /// @dev That a payee cannot receive is known only after the attempt; the guard keeps re-entry out.
    function _deliver(uint256 couponId, Payee memory payee, uint256 amountUsd6, Page memory page)
        private
        returns (bool)
    {
        if (amountUsd6 == 0) return true;
        if (payee.wallet != address(0) && CASH.trySafeTransfer(payee.wallet, amountUsd6)) {
            page.deliveredUsd6 += amountUsd6;
            return true;
        }

        _parkedUsd6[couponId][payee.holder] += amountUsd6;
        return false;
    }

    function _writePage(uint256 couponId, Coupon storage c, Page memory page) private {
        if (page.paidUnits == 0) return;
        c.paidUsd6 += SafeCast.toUint128(page.paidUsd6);
        c.paidUnits += SafeCast.toUint128(page.paidUnits);
        if (c.paidUnits == c.supplyUnits) {
            uint256 remainderUsd6 = c.fundedUsd6 - c.paidUsd6;
            if (remainderUsd6 > 0) carryUsd6 += remainderUsd6;

            emit CouponClosed(couponId, remainderUsd6);
        }
        _settleCash(page);
    }

    function _settleCash(Page memory page) private {
        if (page.deliveredUsd6 > 0) heldUsd6 -= page.deliveredUsd6;
        if (page.withheldUsd6 > 0) withheldUsd6 += page.withheldUsd6;
    }

    /// @dev A coupon of the predecessor is copied when it is first written to here.
    function _couponForWriting(uint256 couponId) private returns (Coupon storage c) {
        c = _coupons[couponId];
        if (c.status == CouponStatus.None && couponId > 0 && couponId <= _inheritedCoupons) {
            _coupons[couponId] = PREDECESSOR.coupon(couponId);
        }
    }

    function _requireStatus(uint256 couponId, Coupon storage c, CouponStatus expected) private view {
        require(c.status == expected, WrongCouponStatus(couponId, c.status, expected));
    }
}
