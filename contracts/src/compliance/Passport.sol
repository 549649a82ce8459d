// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Passport
/// @notice What a transfer rule needs to know of an investor, in 64 bits.
/// @dev | bits   | field           | meaning                        |
///      | 0-15   | `country`       | ISO 3166-1 numeric             |
///      | 16-23  | `investorClass` | 1..15                          |
///      | 24-63  | `validUntil`    | first second it does not count |
library Passport {
    uint8 internal constant MAX_CLASS = 15;

    function pack(uint16 country, uint8 investorClass, uint40 validUntil) internal pure returns (uint256) {
        return uint256(country) | uint256(investorClass) << 16 | uint256(validUntil) << 24;
    }

    /// @dev The casts drop the bits above the field on purpose.
    function unpack(uint256 passport)
        internal
        pure
        returns (uint16 country, uint8 investorClass, uint40 validUntil)
    {
        // forge-lint: disable-next-line(unsafe-typecast)
        return (uint16(passport), uint8(passport >> 16), uint40(passport >> 24));
    }
}
