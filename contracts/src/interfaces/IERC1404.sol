// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IERC1404
/// @notice Why a transfer would be refused: a code, and its meaning in words.
interface IERC1404 {
    /// @return code 0 when nothing restricts the transfer.
    function detectTransferRestriction(address from, address to, uint256 value) external view returns (uint8 code);

    function messageForTransferRestriction(uint8 code) external view returns (string memory message);
}
