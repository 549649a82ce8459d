// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title IStablecoin
/// @notice Cash leg: a token redeemable at par, six decimals, one unit = one millionth of the currency.
/// @dev | name         | scale | example                 |
///      | `amountUsd6` | 1e6   | 1_000_000 = one dollar  |
interface IStablecoin is IERC20 {
    /// @notice The account may neither send nor receive.
    error AccountBlocked(address account);

    /// @notice The account was put on, or taken off, the block list.
    event AccountBlockSet(address indexed account, bool blocked);

    /// @notice Creates cash against a deposit of the same value outside the chain.
    /// @param to Account credited.
    /// @param amountUsd6 Amount created (1e6).
    function mint(address to, uint256 amountUsd6) external;

    /// @notice Redeems the caller's cash: it leaves the chain.
    /// @param amountUsd6 Amount destroyed (1e6).
    function burn(uint256 amountUsd6) external;

    /// @notice Puts an account on, or takes it off, the block list.
    function setBlocked(address account, bool blocked) external;

    /// @notice Whether the account is on the block list.
    function isBlocked(address account) external view returns (bool);
}
