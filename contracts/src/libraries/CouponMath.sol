// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DateTimeLib} from "solady/src/utils/DateTimeLib.sol";

uint256 constant WAD = 1e18; // 100 %
uint256 constant BPS = 1e4; // 100 %
uint256 constant YEAR_DAYS_360 = 360;

/// @title CouponMath
/// @notice Pure coupon arithmetic. No storage, no clock, no tokens.
/// @dev | name            | scale       | example                           |
///      | `principalUsd6` | 1e6         | 1_000_000 = one dollar            |
///      | `rateWad`       | 1e18 a year | 0.05e18 = 5 % a year              |
///      | `feeBps`        | 1e4 a year  | 100 = 1 % a year                  |
///      | `days360`       | 1 day       | 30 = any whole month on 30/360    |
///      Each product is exact in 512 bits; the one rounding is named in the function.
library CouponMath {
    /// @notice Interest for a number of 30/360 days, rounded down: in favour of the issuer.
    function interestDown(uint256 principalUsd6, uint256 rateWad, uint256 days360)
        internal
        pure
        returns (uint256 amountUsd6)
    {
        return Math.mulDiv(principalUsd6, rateWad * days360, YEAR_DAYS_360 * WAD);
    }

    /// @notice Fee for a number of 30/360 days, rounded down: in favour of the holders.
    function feeDown(uint256 principalUsd6, uint256 feeBps, uint256 days360)
        internal
        pure
        returns (uint256 amountUsd6)
    {
        return Math.mulDiv(principalUsd6, feeBps * days360, YEAR_DAYS_360 * BPS);
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
        return Math.mulDiv(amountUsd6, units, supplyUnits);
    }

    /// @notice Days between the UTC dates of two instants on 30/360 (bond basis).
    /// @dev ISDA 2006 definitions, section 4.16(f): day 31 at the start becomes 30; day 31 at the end becomes 30
    ///      only if the start day is then 30.
    /// @param startTime First second of the period (UTC).
    /// @param endTime First second after the period (UTC), not before `startTime`.
    function days30360Bond(uint256 startTime, uint256 endTime) internal pure returns (uint256) {
        (uint256 y1, uint256 m1, uint256 d1) = DateTimeLib.timestampToDate(startTime);
        (uint256 y2, uint256 m2, uint256 d2) = DateTimeLib.timestampToDate(endTime);
        if (d1 == 31) d1 = 30;
        if (d2 == 31 && d1 == 30) d2 = 30;
        return 360 * y2 + 30 * m2 + d2 - (360 * y1 + 30 * m1 + d1);
    }
}
