// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IRuleModule
/// @notice A transfer rule beside those that the bond keeps itself.
interface IRuleModule {
    /// @notice Whether the rule lets the transfer pass. A module that reverts refuses.
    /// @param token Bond asked for. @param units Units to move (1e0).
    function isAllowed(address token, address from, address to, uint256 units) external view returns (bool);
}
