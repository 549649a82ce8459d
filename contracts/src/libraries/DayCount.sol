// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DateTimeLib} from "solady/src/utils/DateTimeLib.sol";

/// @title DayCount
/// @notice Year fractions as exact rationals between the UTC dates of two instants.
/// @dev | convention      | numerator / denominator                     | source                  |
///      | `Thirty360Bond` | 30/360 days / 360                           | ISDA 2006, 4.16(f)      |
///      | `ThirtyE360`    | 30E/360 days / 360                          | ISDA 2006, 4.16(g)      |
///      | `Act360`        | days / 360                                  | ISDA 2006, 4.16(e)      |
///      | `Act365F`       | days / 365                                  | ISDA 2006, 4.16(d)      |
///      | `ActActIcma`    | days / (frequency x days of the reference)  | ICMA rule 251           |
///      | `ActActIsda`    | days in leap years / 366 + others / 365     | ISDA 2006, 4.16(b)      |
///      Dates are half open: the start day earns interest, the end day does not.
library DayCount {
    enum Convention {
        Thirty360Bond,
        ThirtyE360,
        Act360,
        Act365F,
        ActActIcma,
        ActActIsda
    }

    /// @notice The end lies before the start.
    error PeriodReversed(uint256 startTime, uint256 endTime);
    /// @notice ACT/ACT ICMA needs a reference period of at least a day and a frequency.
    error NoReferencePeriod(uint256 referenceStart, uint256 referenceEnd, uint256 frequency);

    uint256 private constant DAY_S = 1 days;

    /// @notice The period in years as a fraction.
    /// @param startTime First second of the period (UTC).
    /// @param endTime First second after the period (UTC).
    /// @param referenceStart Start of the regular coupon period (ACT/ACT ICMA only).
    /// @param referenceEnd Its end (ACT/ACT ICMA only).
    /// @param frequency Coupon periods a year (ACT/ACT ICMA only).
    function yearFraction(
        Convention convention,
        uint256 startTime,
        uint256 endTime,
        uint256 referenceStart,
        uint256 referenceEnd,
        uint256 frequency
    ) internal pure returns (uint256 numerator, uint256 denominator) {
        require(endTime >= startTime, PeriodReversed(startTime, endTime));

        if (convention == Convention.Thirty360Bond) return (days30360Bond(startTime, endTime), 360);
        if (convention == Convention.ThirtyE360) return (days30E360(startTime, endTime), 360);
        if (convention == Convention.Act360) return (daysActual(startTime, endTime), 360);
        if (convention == Convention.Act365F) return (daysActual(startTime, endTime), 365);
        if (convention == Convention.ActActIsda) return _actActIsda(startTime, endTime);
        uint256 referenceDays = referenceEnd > referenceStart ? daysActual(referenceStart, referenceEnd) : 0;
        require(
            referenceDays > 0 && frequency > 0, NoReferencePeriod(referenceStart, referenceEnd, frequency)
        );
        return (daysActual(startTime, endTime), referenceDays * frequency);
    }

    /// @notice Days on 30/360 (bond basis): day 31 at the start becomes 30; day 31 at the end becomes 30 only if the
    ///         start day is then 30.
    function days30360Bond(uint256 startTime, uint256 endTime) internal pure returns (uint256) {
        (uint256 y1, uint256 m1, uint256 d1) = DateTimeLib.timestampToDate(startTime);
        (uint256 y2, uint256 m2, uint256 d2) = DateTimeLib.timestampToDate(endTime);
        if (d1 == 31) d1 = 30;
        if (d2 == 31 && d1 == 30) d2 = 30;
        return 360 * y2 + 30 * m2 + d2 - (360 * y1 + 30 * m1 + d1);
    }

    /// @notice Days on 30E/360 (Eurobond basis): every day 31 becomes 30.
    function days30E360(uint256 startTime, uint256 endTime) internal pure returns (uint256) {
        (uint256 y1, uint256 m1, uint256 d1) = DateTimeLib.timestampToDate(startTime);
        (uint256 y2, uint256 m2, uint256 d2) = DateTimeLib.timestampToDate(endTime);
        if (d1 == 31) d1 = 30;
        if (d2 == 31) d2 = 30;
        return 360 * y2 + 30 * m2 + d2 - (360 * y1 + 30 * m1 + d1);
    }

    /// @notice Calendar days between the two dates.
    function daysActual(uint256 startTime, uint256 endTime) internal pure returns (uint256) {
        return endTime / DAY_S - startTime / DAY_S;
    }

    /// @dev Years are walked, not days; both denominators are brought to 365 x 366 so that the sum is one fraction.
    function _actActIsda(uint256 startTime, uint256 endTime)
        private
        pure
        returns (uint256 numerator, uint256 denominator)
    {
        uint256 from = startTime / DAY_S;
        uint256 to = endTime / DAY_S;
        (uint256 year,,) = DateTimeLib.epochDayToDate(from);
        while (from < to) {
            uint256 nextYear = DateTimeLib.dateToEpochDay(year + 1, 1, 1);
            uint256 until = nextYear < to ? nextYear : to;
            numerator += (until - from) * (DateTimeLib.isLeapYear(year) ? 365 : 366);
            from = until;
            ++year;
        }
        return (numerator, 365 * 366);
    }
}
