// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CouponMath} from "../libraries/CouponMath.sol";
import {DayCount} from "../libraries/DayCount.sol";

/// @title CouponMathHarness
/// @notice Test only: coupon arithmetic and day counts as callable functions.
contract CouponMathHarness {
    function accruedDown(uint256 amountUsd6, uint256 rateWad, uint256 numerator, uint256 denominator)
        external
        pure
        returns (uint256)
    {
        return CouponMath.accruedDown(amountUsd6, rateWad, numerator, denominator);
    }

    function scheduledPrincipalDown(uint256 originalUsd6, uint256 paidPeriods, uint256 periodCount)
        external
        pure
        returns (uint256)
    {
        return CouponMath.scheduledPrincipalDown(originalUsd6, paidPeriods, periodCount);
    }

    function shareDown(uint256 amountUsd6, uint256 units, uint256 supplyUnits) external pure returns (uint256) {
        return CouponMath.shareDown(amountUsd6, units, supplyUnits);
    }

    function yearFraction(
        DayCount.Convention convention,
        uint256 startTime,
        uint256 endTime,
        uint256 referenceStart,
        uint256 referenceEnd,
        uint256 frequency
    ) external pure returns (uint256 numerator, uint256 denominator) {
        return DayCount.yearFraction(convention, startTime, endTime, referenceStart, referenceEnd, frequency);
    }

    /// @notice A coupon in one call: year fraction, then one rounding.
    function couponDown(
        uint256 amountUsd6,
        uint256 rateWad,
        DayCount.Convention convention,
        uint256 startTime,
        uint256 endTime,
        uint256 referenceStart,
        uint256 referenceEnd,
        uint256 frequency
    ) external pure returns (uint256) {
        (uint256 numerator, uint256 denominator) =
            DayCount.yearFraction(convention, startTime, endTime, referenceStart, referenceEnd, frequency);
        return CouponMath.accruedDown(amountUsd6, rateWad, numerator, denominator);
    }
}
