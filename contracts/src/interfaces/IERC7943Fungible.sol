// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title IERC7943Fungible
/// @notice ERC-7943 (Final) for ERC-20 tokens: who may send and receive, what is frozen, and enforcement.
/// @dev Interface id 0x3edbb4c4. Names and order of arguments are the standard's.
interface IERC7943Fungible is IERC165 {
    event ForcedTransfer(address indexed from, address indexed to, uint256 amount);
    event Frozen(address indexed account, uint256 amount);

    error ERC7943CannotSend(address account);
    error ERC7943CannotReceive(address account);
    error ERC7943CannotTransfer(address from, address to, uint256 amount);
    /// @notice The balance is enough; what of it is free is not.
    error ERC7943InsufficientUnfrozenBalance(address account, uint256 amount, uint256 unfrozen);

    /// @notice Moves units against the holder's will; thaws what it needs first.
    function forcedTransfer(address from, address to, uint256 amount) external returns (bool result);

    /// @notice Sets, not adds to, what is frozen. May exceed the balance: later receipts are frozen too.
    function setFrozenTokens(address account, uint256 amount) external returns (bool result);

    /// @notice Whether the account is eligible to send, whatever the transfer. Never reverts.
    function canSend(address account) external view returns (bool allowed);

    /// @notice Whether the account is eligible to receive, whatever the transfer. Never reverts.
    function canReceive(address account) external view returns (bool allowed);

    /// @notice What is frozen; may exceed the balance.
    function getFrozenTokens(address account) external view returns (uint256 amount);

    /// @notice Whether every permissioned rule lets this transfer pass. Never reverts; says nothing of balances or
    ///         allowances.
    function canTransfer(address from, address to, uint256 amount) external view returns (bool allowed);
}
