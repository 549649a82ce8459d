// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CouponMath} from "../libraries/CouponMath.sol";

/// @title CouponMathHarness
/// @notice Test only: the coupon arithmetic as callable functions.
contract CouponMathHarness {
    function interestDown(uint256 principalUsd6, uint256 rateWad, uint256 days360) external pure returns (uint256) {
        return CouponMath.interestDown(principalUsd6, rateWad, days360);
    }

    function feeDown(uint256 principalUsd6, uint256 feeBps, uint256 days360) external pure returns (uint256) {
        return CouponMath.feeDown(principalUsd6, feeBps, days360);
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

    function days30360Bond(uint256 startTime, uint256 endTime) external pure returns (uint256) {
        return CouponMath.days30360Bond(startTime, endTime);
    }
}
