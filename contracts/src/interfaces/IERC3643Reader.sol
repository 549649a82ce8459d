// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IERC3643Reader
/// @notice The part of ERC-3643 that its readers and agents use: freezing, recovery, and where the rules are kept.
interface IERC3643Reader {
    event AddressFrozen(address indexed account, bool indexed isFrozen, address indexed agent);
    event RecoverySuccess(address indexed lostWallet, address indexed newWallet, address indexed investorIdentity);

    function setAddressFrozen(address account, bool freeze) external;

    function freezePartialTokens(address account, uint256 amount) external;

    function unfreezePartialTokens(address account, uint256 amount) external;

    /// @notice Gives a lost wallet's units, freezes, holds and unclaimed coupons to a new wallet of the same investor.
    /// @param investorIdentity Identity both wallets must be registered under; not looked at without a registry.
    function recoveryAddress(address lostWallet, address newWallet, address investorIdentity) external returns (bool);

    function isFrozen(address account) external view returns (bool);

    function identityRegistry() external view returns (address);

    /// @notice Where `canTransfer` is answered: this contract.
    function compliance() external view returns (address);
}
