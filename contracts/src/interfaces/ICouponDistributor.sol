// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ICouponDistributor
/// @notice Pays coupons to the holders of a past record time, each coupon from its own cash.
/// @dev | name         | scale | example                    |
///      | `couponId`   | 1e0   | 1, 2, 3: never skipped     |
///      | `amountUsd6` | 1e6   | 1_000_000 = one dollar     |
interface ICouponDistributor {
    enum CouponStatus {
        None,
        Declared,
        Funded
    }

    /// @notice A coupon and its own cash account.
    /// @param recordTime Holders when this second is over are owed the coupon (UTC).
    /// @param fundedUsd6 Cash set aside for the coupon, carry of earlier coupons included (1e6).
    /// @param interestUsd6 Interest part of what was declared (1e6).
    /// @param principalUsd6 Principal part of what was declared (1e6).
    /// @param paidUsd6 Cash delivered or parked for holders so far (1e6).
    /// @param supplyUnits Units outstanding at the record time; 0 until the first payment.
    /// @param paidUnits Units whose holders have been served.
    struct Coupon {
        CouponStatus status;
        uint64 recordTime;
        uint128 fundedUsd6;
        uint128 interestUsd6;
        uint128 principalUsd6;
        uint128 paidUsd6;
        uint128 supplyUnits;
        uint128 paidUnits;
    }

    /// @notice Coupons are declared one after another.
    error WrongCouponId(uint256 actual, uint256 expected);
    error WrongCouponStatus(uint256 couponId, CouponStatus actual, CouponStatus expected);
    error RecordTimeInPast(uint256 couponId, uint256 recordTime, uint256 nowSeconds);
    error NothingDeclared(uint256 couponId);
    /// @notice The coupon can be paid only when the record second is over.
    error BeforeRecordTime(uint256 couponId, uint256 recordTime, uint256 nowSeconds);
    error NoUnitsAtRecordTime(uint256 couponId);
    error TooManyHolders(uint256 actual, uint256 maximum);
    error NothingParked(uint256 couponId, address holder);
    /// @notice The payee still cannot receive.
    error StillCannotReceive(uint256 couponId, address holder, uint256 amountUsd6);

    event CouponDeclared(uint256 indexed couponId, uint64 recordTime, uint256 interestUsd6, uint256 principalUsd6);
    event CouponFunded(uint256 indexed couponId, uint256 amountUsd6, uint256 carryUsd6);
    event CouponPaid(uint256 indexed couponId, address indexed holder, uint256 units, uint256 amountUsd6);
    /// @notice The payee could not receive; the amount waits for it.
    event CouponParked(uint256 indexed couponId, address indexed holder, uint256 units, uint256 amountUsd6);
    event ParkedReleased(uint256 indexed couponId, address indexed holder, uint256 amountUsd6);
    /// @notice Every holder is served; what roundings left goes to the next coupon that is funded.
    event CouponClosed(uint256 indexed couponId, uint256 carriedUsd6);

    /// @notice Declares the next coupon. The counter on chain is the only truth for "paid": a restarted
    ///         keeper that declares the same coupon again is refused.
    /// @dev Errors in order of precedence: WrongCouponId, RecordTimeInPast, NothingDeclared.
    function declare(uint256 couponId, uint64 recordTime, uint256 interestUsd6, uint256 principalUsd6) external;

    /// @notice Takes the declared amount from the caller and adds the carry of earlier coupons.
    function fund(uint256 couponId) external;

    /// @notice Pays a page of holders. Callable by anyone; a holder already served is skipped.
    /// @dev Errors in order of precedence: TooManyHolders, WrongCouponStatus, BeforeRecordTime,
    ///      NoUnitsAtRecordTime.
    function pay(uint256 couponId, address[] calldata holders) external;

    /// @notice Delivers a parked amount to its payee. Callable by anyone.
    function releaseParked(uint256 couponId, address holder) external;

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
}
