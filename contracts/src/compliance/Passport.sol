// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Passport
/// @notice What a transfer rule needs to know of an investor, in 64 bits.
/// @dev | bits   | field           | meaning                        |
///      | 0-7    | `investorClass` | 1..15                          |
///      | 8-23   | `country`       | ISO 3166-1 numeric             |
///      | 24-63  | `validUntil`    | first second it does not count |
library Passport {
    uint8 internal constant MAX_CLASS = 15;

    function pack(uint16 country, uint8 investorClass, uint40 validUntil) internal pure returns (uint256) {
        return uint256(investorClass) | uint256(country) << 8 | uint256(validUntil) << 24;
    }
}
