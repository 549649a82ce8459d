// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IERC5679Ext20
/// @notice Minting and burning of an ERC-20 under one name.
/// @dev Interface id 0xd0017968.
interface IERC5679Ext20 {
    function mint(address to, uint256 amount, bytes calldata data) external;

    function burn(address from, uint256 amount, bytes calldata data) external;
}
