// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IIdentityRegistry
/// @notice Which wallet belongs to which investor, where the investor is at home, and until when that is known.
/// @dev | name         | meaning                                             |
///      | `country`    | ISO 3166-1 numeric, e.g. 276 Germany; 0 = not known |
///      | `investorClass` | 1..15, meaning agreed by the issuer, e.g. 1 professional, 2 retail |
///      | `validUntil` | first second at which the entry no longer counts (UTC) |
interface IIdentityRegistry {
    struct Identity {
        address identity;
        uint16 country;
        uint8 investorClass;
        uint40 validUntil;
    }

    error NoIdentity(address wallet);
    error InvalidIdentity(bytes32 what, uint256 actual, uint256 bound);
    error TooMany(bytes32 what, uint256 actual, uint256 max);
    error AlreadySubscribed(address token);
    error NotSubscribed(address token);

    event IdentityRegistered(
        address indexed wallet,
        address indexed identity,
        uint16 indexed country,
        uint8 investorClass,
        uint40 validUntil
    );
    event IdentityRemoved(address indexed wallet, address indexed identity);
    event Subscribed(address indexed token);
    event Unsubscribed(address indexed token);

    /// @notice Adds or replaces wallets, and tells every subscribed token in the same transaction.
    function register(address[] calldata wallets, Identity[] calldata identities) external;

    /// @notice Removes a wallet; from this transaction on it may not receive.
    function remove(address wallet) external;

    /// @notice Adds a token that keeps copies and must be told of changes.
    function subscribe(address token) external;

    function unsubscribe(address token) external;

    function isSubscribed(address token) external view returns (bool);

    /// @notice What tokens copy: investorClass | country << 8 | validUntil << 24; 0 for a wallet without identity.
    function passportOf(address wallet) external view returns (uint256 passport);

    function identityOf(address wallet) external view returns (Identity memory);

    /// @notice ERC-3643 names of the same facts.
    function identity(address wallet) external view returns (address);

    function investorCountry(address wallet) external view returns (uint16);

    function isVerified(address wallet) external view returns (bool);
}

/// @title IIdentitySubscriber
/// @notice A token that keeps copies of passports.
interface IIdentitySubscriber {
    /// @notice Takes a changed passport. Registry only.
    function identityChanged(address wallet, uint256 passport) external;
}
