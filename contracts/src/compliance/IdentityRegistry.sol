// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {IIdentityRegistry, IIdentitySubscriber} from "../interfaces/IIdentityRegistry.sol";
import {Passport} from "./Passport.sol";

uint256 constant MAX_SUBSCRIBERS = 32; // tokens told of a change in one transaction
uint256 constant MAX_WALLETS = 200; // wallets registered by one call

/// @title IdentityRegistry
/// @notice Who stands behind a wallet, for all the bonds that subscribe.
///
/// LIFE. register -> register again or remove; each change is pushed to the subscribed tokens.
/// COPIES. A token keeps the passport beside the balance, so that a transfer needs no call to this contract. A copy is
/// never stale: the change and the push are one transaction, and a token that refuses the push stops the change. Tokens
/// that subscribe later fetch what they lack on an investor's first receipt.
/// ROLES. Admin subscribes tokens. Registrar registers and removes wallets.
contract IdentityRegistry is IIdentityRegistry, AccessControl {
    using EnumerableSet for EnumerableSet.AddressSet;

    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    mapping(address wallet => Identity) private _identities;
    EnumerableSet.AddressSet private _subscribers;

    /// @param admin Account that grants the role and subscribes tokens.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc IIdentityRegistry
    function register(address[] calldata wallets, Identity[] calldata identities) external onlyRole(REGISTRAR_ROLE) {
        require(wallets.length <= MAX_WALLETS, TooMany("wallets", wallets.length, MAX_WALLETS));
        require(
            identities.length == wallets.length, InvalidIdentity("identities", identities.length, wallets.length)
        );

        for (uint256 i = 0; i < wallets.length; ++i) {
            _register(wallets[i], identities[i]);
        }
    }

    /// @inheritdoc IIdentityRegistry
    function remove(address wallet) external onlyRole(REGISTRAR_ROLE) {
        address known = _identities[wallet].identity;
        require(known != address(0), NoIdentity(wallet));

        delete _identities[wallet];

        emit IdentityRemoved(wallet, known);

        _push(wallet, 0);
    }

    /// @inheritdoc IIdentityRegistry
    function subscribe(address token) external onlyRole(DEFAULT_ADMIN_ROLE) {
        require(_subscribers.length() < MAX_SUBSCRIBERS, TooMany("subscribers", MAX_SUBSCRIBERS + 1, MAX_SUBSCRIBERS));
        require(_subscribers.add(token), AlreadySubscribed(token));

        emit Subscribed(token);
    }

    /// @inheritdoc IIdentityRegistry
    function unsubscribe(address token) external onlyRole(DEFAULT_ADMIN_ROLE) {
        require(_subscribers.remove(token), NotSubscribed(token));

        emit Unsubscribed(token);
    }

    /// @inheritdoc IIdentityRegistry
    function isSubscribed(address token) external view returns (bool) {
        return _subscribers.contains(token);
    }

    /// @inheritdoc IIdentityRegistry
    function passportOf(address wallet) public view returns (uint256 passport) {
        Identity storage known = _identities[wallet];
        return Passport.pack(known.country, known.investorClass, known.validUntil);
    }

    /// @inheritdoc IIdentityRegistry
    function identityOf(address wallet) external view returns (Identity memory) {
        return _identities[wallet];
    }

    /// @inheritdoc IIdentityRegistry
    function identity(address wallet) external view returns (address) {
        return _identities[wallet].identity;
    }

    /// @inheritdoc IIdentityRegistry
    function investorCountry(address wallet) external view returns (uint16) {
        return _identities[wallet].country;
    }

    /// @inheritdoc IIdentityRegistry
    function isVerified(address wallet) external view returns (bool) {
        return block.timestamp < _identities[wallet].validUntil;
    }

    function _register(address wallet, Identity calldata known) private {
        require(wallet != address(0), InvalidIdentity("wallet", 0, 1));
        require(known.identity != address(0), InvalidIdentity("identity", 0, 1));
        require(
            known.investorClass > 0 && known.investorClass <= Passport.MAX_CLASS,
            InvalidIdentity("investorClass", known.investorClass, Passport.MAX_CLASS)
        );

        _identities[wallet] = known;

        emit IdentityRegistered(wallet, known.identity, known.country, known.investorClass, known.validUntil);

        _push(wallet, passportOf(wallet));
    }

    function _push(address wallet, uint256 passport) private {
        uint256 count = _subscribers.length();
        for (uint256 i = 0; i < count; ++i) {
            IIdentitySubscriber(_subscribers.at(i)).identityChanged(wallet, passport);
        }
    }
}
