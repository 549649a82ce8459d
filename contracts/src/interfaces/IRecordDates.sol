// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IRecordDates
/// @notice Record dates of a bond and who held it on each.
/// @dev | name         | scale       | example                                             |
///      | `units`      | 1e0         | 250 = 250 bonds                                     |
///      | `recordTime` | UTC seconds | included: transfers stamped at it count             |
///      | `recordId`   | 1, 2, ...   | in order of time; two coupons may share a record date |
interface IRecordDates {
    error RecordTimeInPast(uint256 recordTime, uint256 nowSeconds);
    error RecordTimesNotAscending(uint256 recordTime, uint256 lastRecordTime);
    error UnknownRecordDate(uint256 recordId, uint256 recordDateCount);
    /// @notice A balance is known only when the record date is over.
    error RecordTimeNotPassed(uint256 recordTime, uint256 nowSeconds);

    event RecordDateDeclared(uint256 indexed recordId, uint256 recordTime);

    /// @notice Fixes a record date now or later; not before the last one.
    /// @return recordId Its number; that of the last one if it is the same second.
    function declareRecordDate(uint256 recordTime) external returns (uint256 recordId);

    function recordDateCount() external view returns (uint256);

    /// @notice Second of a record date (UTC).
    function recordDate(uint256 recordId) external view returns (uint256 recordTime);

    /// @notice Units held when the record date was over.
    function unitsAt(uint256 recordId, address holder) external view returns (uint256 units);

    /// @notice Units outstanding when the record date was over.
    function supplyAt(uint256 recordId) external view returns (uint256 units);
}
