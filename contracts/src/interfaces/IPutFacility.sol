// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IPutFacility
/// @notice A holder's right to sell units of a class to the writer at a fixed price of what is outstanding.
/// @dev | name       | scale | example                                        |
///      | `priceBps` | 1e4   | 10_100 = 101 % of the unit's outstanding face  |
///      | `units`    | 1e0   | 250 = 250 bonds                                |
interface IPutFacility {
    error InvalidPut(bytes32 what, uint256 actual, uint256 bound);
    /// @notice Outside [opensAt, closesAt).
    error PutClosed(uint256 nowSeconds, uint64 opensAt, uint64 closesAt);
    error NothingToPut(uint256 units);

    event Put(address indexed holder, uint256 units, uint256 amountUsd6);

    /// @notice Sells units of the caller to the writer: units and cash move together, or not at all.
    /// @dev Errors in order of precedence: PutClosed, NothingToPut, the tokens' own.
    function put(uint256 units) external;

    /// @notice What the units would be paid now, rounded down (1e6).
    function quoteUsd6(uint256 units) external view returns (uint256 amountUsd6);
}
