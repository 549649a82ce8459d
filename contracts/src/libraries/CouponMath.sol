// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

uint256 constant WAD = 1e18; // 100 %
uint256 constant BPS = 1e4; // 100 %

/// @title CouponMath
/// @notice Pure coupon arithmetic. No storage, no clock, no tokens.
/// @dev | name            | scale       | example                           |
///      | `...Usd6`       | 1e6         | 1_000_000 = one dollar            |
///      | `rateWad`       | 1e18 a year | 0.05e18 = 5 % a year              |
///      | year fraction   | exact       | 30 / 360 = a month on 30/360      |
///      Each product is exact in 512 bits; the one rounding is named in the function.
library CouponMath {
    /// @notice What accrues on an amount over a year fraction, rounded down: in favour of the payer.
    /// @param numerator Year fraction's numerator, and `denominator` its denominator (see DayCount).
    function accruedDown(uint256 amountUsd6, uint256 rateWad, uint256 numerator, uint256 denominator)
        internal
        pure
        returns (uint256 accruedUsd6)
    {
        return Math.mulDiv(amountUsd6, rateWad * numerator, WAD * denominator);
    }

    /// @notice Principal repaid after `paidPeriods` of `periodCount` equal instalments, rounded down; all of it
    ///         after the last.
    function scheduledPrincipalDown(uint256 originalUsd6, uint256 paidPeriods, uint256 periodCount)
        internal
        pure
        returns (uint256 amountUsd6)
    {
        if (paidPeriods >= periodCount) return originalUsd6;
        return Math.mulDiv(originalUsd6, paidPeriods, periodCount);
    }

    /// @notice A holder's part of a coupon, rounded down; what the roundings leave is carried.
    function shareDown(uint256 amountUsd6, uint256 units, uint256 supplyUnits) internal pure returns (uint256) {
        // most products fit, and then the plain way costs a fifth
        if ((amountUsd6 | units) >> 128 == 0) return amountUsd6 * units / supplyUnits;
        return Math.mulDiv(amountUsd6, units, supplyUnits);
    }
}
