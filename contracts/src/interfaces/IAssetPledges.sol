// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IAssetPledges
/// @notice What a bond asks of the asset registry before units are created.
interface IAssetPledges {
    /// @notice Reverts unless the asset is certified and pledged to this bond.
    function requirePledged(bytes32 assetId, address bond) external view;
}
