// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1404} from "./IERC1404.sol";
import {IERC7943Fungible} from "./IERC7943Fungible.sol";
import {IIdentitySubscriber} from "./IIdentityRegistry.sol";

/// @title ITransferControl
/// @notice Who may hold a bond and pass it on, and the rules in force.
/// @dev Restriction codes, in order of precedence:
///      | code | meaning                                          | error                                |
///      | 0    | none                                             |                                      |
///      | 1    | transfers are paused                             | TransferRestricted                   |
///      | 2    | the sender is frozen                             | ERC7943CannotSend                    |
///      | 3    | the recipient is frozen                          | ERC7943CannotReceive                 |
///      | 4    | the recipient has no valid identity              | ERC7943CannotReceive                 |
///      | 5    | the recipient's investor class is not admitted   | ERC7943CannotReceive                 |
///      | 6    | units are frozen or on hold                      | ERC7943InsufficientUnfrozenBalance   |
///      | 7    | the lock-up has not ended                        | TransferRestricted                   |
///      | 8    | the pair of countries is not admitted            | TransferRestricted                   |
///      | 9    | a holding below the minimum lot would result     | TransferRestricted                   |
///      | 10   | there would be too many holders                  | TransferRestricted                   |
///      | 11   | a rule module refuses                            | TransferRestricted                   |
///      | 12   | the spender is frozen                            | ERC7943CannotSend                    |
interface ITransferControl is IERC7943Fungible, IERC1404, IIdentitySubscriber {
    /// @notice How pairs of countries are read; 0 in a pair stands for any country.
    enum PairRule {
        Off,
        ListedForbidden,
        OnlyListed
    }

    /// @notice Rules kept by the bond itself; zeros are off.
    /// @param lockedUntil First second at which holders may transfer (UTC).
    /// @param minLotUnits Smallest holding that may result from a transfer (1e0).
    /// @param maxHolders Largest number of wallets with units.
    /// @param classMask Investor classes that may receive: bit n for class n.
    struct Rules {
        uint40 lockedUntil;
        uint24 minLotUnits;
        uint24 maxHolders;
        uint16 classMask;
        PairRule pairRule;
    }

    error TransferRestricted(uint8 code, address from, address to, uint256 units);
    error OnlyIdentityRegistry(address caller, address registry);
    error BondNotSubscribed(address registry);
    error TooManyModules(uint256 actual, uint256 max);
    error NotAContract(address account);
    error TooManyIdentityVersions();

    event Paused(address by);
    event Unpaused(address by);
    event IdentityRegistryAdded(address indexed identityRegistry);
    event RulesSet(Rules rules);
    event CountryPairSet(uint16 indexed from, uint16 indexed to, bool listed);
    event RuleModulesSet(address[] modules);

    /// @notice Stops all transfers, issues and holds; coupons go on.
    function pause() external;

    function unpause() external;

    function paused() external view returns (bool);

    /// @notice Replaces the rules.
    function setRules(Rules calldata rules) external;

    /// @notice Lists or strikes a pair of countries (ISO 3166-1 numeric; 0 = any).
    function setCountryPair(uint16 from, uint16 to, bool listed) external;

    /// @notice Replaces the rule modules, at most four.
    function setRuleModules(address[] calldata modules) external;

    /// @notice Sets or removes (address(0)) the registry. The bond must have been subscribed there before.
    function setIdentityRegistry(address registry) external;

    function rules() external view returns (Rules memory);

    function ruleModules() external view returns (address[] memory);

    /// @notice Wallets with units.
    function holderCount() external view returns (uint256);
}
