// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IBondToken} from "./IBondToken.sol";

/// @title ICouponDistributor
/// @notice Pays coupons to the holders of a past record date, each coupon from its own cash.
/// @dev | name             | scale | example                              |
///      | `couponId`       | 1e0   | 1, 2, 3: never skipped               |
///      | `amountUsd6`     | 1e6   | 1_000_000 = one dollar               |
///      | `withholdingBps` | 1e4   | 2_500 = 25 % of interest             |
interface ICouponDistributor {
    enum CouponStatus {
        None,
        Declared,
        Funded,
        Expired
    }

    /// @notice Terms of payment; immutable. Zeros are off.
    /// @param claimWindowS Seconds after the record date in which a coupon may be claimed; 0 = for ever.
    /// @param expiredTo Who gets what was not claimed.
    /// @param withholdingBps Tax withheld from interest, arrears included (1e4 = all).
    /// @param exemptClassMask Investor classes without withholding: bit n for class n.
    /// @param taxPayee Who gets what was withheld.
    struct CouponTerms {
        uint40 claimWindowS;
        address expiredTo;
        uint16 withholdingBps;
        uint16 exemptClassMask;
        address taxPayee;
    }

    /// @notice A coupon and its own cash account.
    /// @param recordTime Holders when this second is over are owed the coupon (UTC).
    /// @param recordId Number of that record date in the bond's register.
    /// @param fundedUsd6 Cash set aside for the coupon, carry of earlier coupons included (1e6).
    /// @param interestUsd6 Interest part of what is paid (1e6).
    /// @param principalUsd6 Principal part of what is paid (1e6).
    /// @param arrearsUsd6 Interest due for this coupon and not paid with it (1e6).
    /// @param arrearsBeforeUsd6 Arrears booked for all earlier coupons (1e6): they are paid first.
    /// @param arrearsServedUsd6 Arrears delivered or parked so far (1e6).
    /// @param arrearsServedUnits Units whose holders have had all arrears of this coupon.
    /// @param paidUsd6 Cash delivered or parked for holders so far, without arrears (1e6).
    /// @param supplyUnits Units outstanding at the record time; 0 until the first payment.
    /// @param paidUnits Units whose holders have been served.
    struct Coupon {
        CouponStatus status;
        uint64 recordTime;
        uint24 recordId;
        uint128 fundedUsd6;
        uint128 interestUsd6;
        uint128 principalUsd6;
        uint128 arrearsUsd6;
        uint128 arrearsBeforeUsd6;
        uint128 arrearsServedUsd6;
        uint128 arrearsServedUnits;
        uint128 paidUsd6;
        uint128 supplyUnits;
        uint128 paidUnits;
    }

    /// @notice Coupons are declared one after another.
    error WrongCouponId(uint256 actual, uint256 expected);
    error WrongCouponStatus(uint256 couponId, CouponStatus actual, CouponStatus expected);
    error NothingDeclared(uint256 couponId);
    /// @notice The coupon can be paid only when the record second is over.
    error BeforeRecordTime(uint256 couponId, uint256 recordTime, uint256 nowSeconds);
    error NoUnitsAtRecordTime(uint256 couponId);
    error TooManyHolders(uint256 actual, uint256 maximum);
    error NothingParked(uint256 couponId, address holder);
    /// @notice More than is in arrears.
    error ArrearsExceeded(uint256 amountUsd6, uint256 openUsd6);
    /// @notice More interest paid than due.
    error PaidAboveDue(uint256 couponId, uint256 paidUsd6, uint256 dueUsd6);
    /// @notice The payee still cannot receive.
    error StillCannotReceive(uint256 couponId, address holder, uint256 amountUsd6);

    error InvalidCouponTerms(bytes32 what, uint256 actual, uint256 bound);
    error ClaimWindowOpen(uint256 couponId, uint256 closesAt, uint256 nowSeconds);
    error NothingWithheld();
    /// @notice The ledger that was handed over, or has not been, cannot do this.
    error HandedOverTo(address successor);
    error NotHandedOver(address predecessor, address actual, address expected);
    error AlreadyTakenOver(uint256 lastCouponId);
    error WrongSuccessor(address bond, address cash);
    /// @notice The cash of the ledger that is taken over did not arrive whole.
    error CashMissing(uint256 actualUsd6, uint256 expectedUsd6);

    event CouponDeclared(
        uint256 indexed couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    );
    /// @notice Cash arrived for arrears; the oldest coupon's are paid first.
    event ArrearsFunded(uint256 amountUsd6, uint256 paidTotalUsd6, uint256 bookedTotalUsd6);
    event ArrearsPaid(uint256 indexed couponId, address indexed holder, uint256 amountUsd6);
    /// @notice The payee could not receive; the arrears wait for it with what else of the coupon is parked.
    event ArrearsParked(uint256 indexed couponId, address indexed holder, uint256 amountUsd6);
    /// @notice Arrears that will never be paid: the class was written off.
    event ArrearsWrittenOff(uint256 amountUsd6);
    event CouponFunded(uint256 indexed couponId, uint256 amountUsd6, uint256 carryUsd6);
    event CouponPaid(uint256 indexed couponId, address indexed holder, uint256 units, uint256 amountUsd6);
    /// @notice The payee could not receive; the amount waits for it.
    event CouponParked(uint256 indexed couponId, address indexed holder, uint256 units, uint256 amountUsd6);
    event ParkedReleased(uint256 indexed couponId, address indexed holder, uint256 amountUsd6);
    /// @notice Every holder is served; what roundings left goes to the next coupon that is funded.
    event CouponClosed(uint256 indexed couponId, uint256 carriedUsd6);
    /// @notice What nobody claimed in time went to the payee of the terms.
    event CouponExpired(uint256 indexed couponId, uint256 amountUsd6);
    /// @notice Tax kept back from what the holder is paid or what is parked for it.
    event TaxWithheld(uint256 indexed couponId, address indexed holder, uint256 amountUsd6);
    event TaxRemitted(address indexed payee, uint256 amountUsd6);
    event HandedOver(address indexed successor, uint256 cashUsd6);
    event TakenOver(address indexed predecessor, uint256 lastCouponId, uint256 heldUsd6);

    /// @notice Declares the next coupon. The counter on chain is the only truth for "paid": a restarted
    ///         keeper that declares the same coupon again is refused.
    ///         Interest due and not paid is booked as arrears of this coupon, owed to its holders of record.
    /// @dev Errors in order of precedence: WrongCouponId, PaidAboveDue, NothingDeclared, the register's own
    ///      (RecordTimeInPast, RecordTimesNotAscending).
    /// @param interestDueUsd6 Interest due for this coupon alone (1e6).
    /// @param interestUsd6 Part of it that is paid (1e6).
    /// @param principalUsd6 Principal that is paid (1e6).
    function declare(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) external;

    /// @notice Takes cash for arrears from the caller. Which coupon it pays follows from the order of booking.
    function fundArrears(uint256 amountUsd6) external;

    /// @notice Gives up arrears that cannot be paid any more.
    function writeOffArrears() external;

    /// @notice Pays a page of holders the arrears of one coupon as far as they are funded. Callable by anyone.
    /// @dev Errors in order of precedence: TooManyHolders, WrongCouponStatus, BeforeRecordTime, NoUnitsAtRecordTime.
    function claimArrears(uint256 couponId, address[] calldata holders) external;

    /// @notice Takes the declared amount from the caller and adds the carry of earlier coupons.
    function fund(uint256 couponId) external;

    /// @notice `declare` and `fund` at once.
    function declareAndFund(
        uint256 couponId,
        uint64 recordTime,
        uint256 interestDueUsd6,
        uint256 interestUsd6,
        uint256 principalUsd6
    ) external;

    /// @notice Pays a page of holders. Callable by anyone, so that a keeper can deliver straight to the wallets; a
    ///         holder already served is skipped.
    /// @dev Errors in order of precedence: TooManyHolders, WrongCouponStatus, BeforeRecordTime,
    ///      NoUnitsAtRecordTime.
    function claimMany(uint256 couponId, address[] calldata holders) external;

    /// @notice Pays the caller.
    function claim(uint256 couponId) external;

    /// @notice Ends a coupon whose claim window is over: what was not claimed goes to the payee of the terms. Parked
    ///         amounts and arrears do not expire. Callable by anyone.
    function expire(uint256 couponId) external;

    /// @notice Pays the tax withheld so far to its payee. Callable by anyone.
    function remitTax() external;

    /// @notice Stops this ledger for good and gives its cash to the one that replaces it. Admin only, while paused.
    function handOver(address successor) external;

    /// @notice Takes over coupons, arrears, parked amounts and cash of the predecessor. Admin only, once, while new.
    /// @dev Errors in order of precedence: AlreadyTakenOver, NotHandedOver, CashMissing.
    function takeOver() external;

    /// @notice Delivers a parked amount to its payee. Callable by anyone.
    function releaseParked(uint256 couponId, address holder) external;

    /// @notice Arrears of a coupon that have been funded so far (1e6).
    function arrearsFundedUsd6(uint256 couponId) external view returns (uint256);

    /// @notice Arrears booked since issue, and how much of them was paid or written off (1e6).
    function arrearsBookedUsd6() external view returns (uint256);

    function arrearsPaidUsd6() external view returns (uint256);

    function arrearsWrittenOffUsd6() external view returns (uint256);

    /// @notice What a holder of record is still owed of a coupon's arrears, funded or not (1e6). After a write-off
    ///         what is funded is all there will be.
    function arrearsOfUsd6(uint256 couponId, address holder) external view returns (uint256);

    function coupon(uint256 couponId) external view returns (Coupon memory);

    /// @notice Number of the last declared coupon, 0 before the first.
    function lastCouponId() external view returns (uint256);

    /// @notice Cash left by roundings, waiting for the next coupon (1e6).
    function carryUsd6() external view returns (uint256);

    /// @notice Cash waiting for a payee that could not receive (1e6).
    function parkedUsd6(uint256 couponId, address holder) external view returns (uint256);

    /// @notice Whether the holder was paid or its amount parked.
    function isServed(uint256 couponId, address holder) external view returns (bool);

    /// @notice What the holder is owed and not yet served (1e6). Zero before the record time is over.
    function owedUsd6(uint256 couponId, address holder) external view returns (uint256);

    function couponTerms() external view returns (CouponTerms memory);

    /// @notice Cash this ledger accounts for: unclaimed, parked, withheld and carried (1e6).
    function heldUsd6() external view returns (uint256);

    /// @notice Tax withheld and not yet remitted (1e6).
    function withheldUsd6() external view returns (uint256);

    /// @notice Arrears of a coupon already delivered to or parked for a holder, before tax (1e6).
    function arrearsServedUsd6(uint256 couponId, address holder) external view returns (uint256);

    /// @notice Whether the holder has had all arrears of the coupon.
    function isArrearsClosed(uint256 couponId, address holder) external view returns (bool);

    /// @notice The ledger that replaced this one, address(0) while it is in force.
    function successor() external view returns (address);

    // solhint-disable-next-line func-name-mixedcase
    function BOND() external view returns (IBondToken);

    // solhint-disable-next-line func-name-mixedcase
    function CASH() external view returns (IERC20);

    // solhint-disable-next-line func-name-mixedcase
    function PREDECESSOR() external view returns (ICouponDistributor);
}
