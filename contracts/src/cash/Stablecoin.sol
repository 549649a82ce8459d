// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {IStablecoin} from "../interfaces/IStablecoin.sol";

uint8 constant CASH_DECIMALS = 6;

/// @title Stablecoin
/// @notice Cash token of the simulation: minted against bank money, redeemed at par.
///
/// LIFE. mint (on-ramp) -> transfer -> burn (off-ramp).
/// ROLES. Admin grants roles. Minter creates cash. Blocker keeps the block list.
/// ROUNDINGS. None: every amount is an exact integer.
contract Stablecoin is IStablecoin, ERC20Permit, AccessControl {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant BLOCKER_ROLE = keccak256("BLOCKER_ROLE");

    mapping(address account => bool) private _blocked;

    /// @param name_ Name shown and hashed into the permit domain.
    /// @param symbol_ Ticker.
    /// @param admin Account that grants the roles.
    constructor(string memory name_, string memory symbol_, address admin) ERC20(name_, symbol_) ERC20Permit(name_) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @inheritdoc IStablecoin
    function mint(address to, uint256 amountUsd6) external onlyRole(MINTER_ROLE) {
        _mint(to, amountUsd6);
    }

    /// @inheritdoc IStablecoin
    function burn(uint256 amountUsd6) external {
        _burn(msg.sender, amountUsd6);
    }

    /// @inheritdoc IStablecoin
    function setBlocked(address account, bool blocked) external onlyRole(BLOCKER_ROLE) {
        _blocked[account] = blocked;

        emit AccountBlockSet(account, blocked);
    }

    /// @inheritdoc IStablecoin
    function isBlocked(address account) external view returns (bool) {
        return _blocked[account];
    }

    /// @notice Six: amounts are in millionths of the currency.
    function decimals() public pure override returns (uint8) {
        return CASH_DECIMALS;
    }

    /// @dev The spender is held to the list too: a blocked account must not move others' cash.
    function _update(address from, address to, uint256 amountUsd6) internal override {
        _requireNotBlocked(from);
        _requireNotBlocked(to);
        _requireNotBlocked(msg.sender);

        super._update(from, to, amountUsd6);
    }

    function _requireNotBlocked(address account) private view {
        require(!_blocked[account], AccountBlocked(account));
    }
}
