// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IHoldable} from "../interfaces/IHoldable.sol";
import {FROZEN, HAS_HOLDS, RECOVERED, TransferControl} from "./TransferControl.sol";
import {Common} from "./Words.sol";

/// @title UnitHolds
/// @notice Units promised to a payee: the holder stays holder of record, but cannot move them.
///
/// LIFE. hold -> executeHold (in parts) -> gone; or releaseHold; or, after the expiry, released by anyone.
/// PROMISE. All rules are asked when a hold is placed. When it is executed only pause, freezes and the payee's identity
/// can stop it: neither a lack of units, nor a lot, lock-up or holder rule changed in between, nor units frozen later.
/// RECOVERY. The holds of a lost wallet go on against the wallet that replaced it.
abstract contract UnitHolds is IHoldable, TransferControl {
    mapping(bytes32 holdId => Hold) private _holds;
    mapping(address lost => address) private _successors;

    /// @inheritdoc IHoldable
    function hold(bytes32 ref, address to, address notary, uint256 units, uint64 expiresAt)
        external
        returns (bytes32 holdId)
    {
        return _hold(ref, msg.sender, to, notary, units, expiresAt);
    }

    /// @inheritdoc IHoldable
    function holdFrom(bytes32 ref, address from, address to, address notary, uint256 units, uint64 expiresAt)
        external
        returns (bytes32 holdId)
    {
        _requireSpender();
        _spendAllowance(from, msg.sender, units);

        return _hold(ref, from, to, notary, units, expiresAt);
    }

    /// @inheritdoc IHoldable
    function executeHold(bytes32 holdId, uint256 units) external {
        Hold memory held = _requireHold(holdId);
        require(msg.sender == held.notary, NotNotary(holdId, msg.sender, held.notary));
        require(block.timestamp <= held.expiresAt, HoldExpiryPassed(holdId, held.expiresAt, block.timestamp));
        require(units > 0, EmptyHold());
        require(units <= held.units, HoldExceeded(holdId, units, held.units));
        address holder = _successorOf(held.holder);
        address payee = held.payee;
        Common common = _common;
        uint8 code = _partyRestriction(_accounts[holder], _stamped(payee, common), common);
        if (code != 0) _refuse(code, holder, payee, units);

        _reduceHold(holdId, held.units, holder, units);

        emit HoldExecuted(holdId, units, held.units - units);

        if (holder == payee) emit Transfer(holder, payee, units);
        else _moveFreely(holder, payee, units);
    }

    /// @inheritdoc IHoldable
    function releaseHold(bytes32 holdId) external {
        Hold memory held = _requireHold(holdId);
        bool mayRelease = block.timestamp > held.expiresAt || msg.sender == held.notary || msg.sender == held.payee
            || hasRole(ENFORCER_ROLE, msg.sender);
        require(mayRelease, NotReleaser(holdId, msg.sender, held.expiresAt));

        _reduceHold(holdId, held.units, _successorOf(held.holder), held.units);

        emit HoldReleased(holdId, msg.sender, held.units);
    }

    /// @inheritdoc IHoldable
    function renewHold(bytes32 holdId, uint64 expiresAt) external {
        Hold memory held = _requireHold(holdId);
        address holder = _successorOf(held.holder);
        require(msg.sender == holder, NotHolder(holdId, msg.sender, holder));
        require(block.timestamp <= held.expiresAt, HoldExpiryPassed(holdId, held.expiresAt, block.timestamp));
        require(expiresAt >= held.expiresAt, HoldShortened(holdId, expiresAt, held.expiresAt));

        _holds[holdId].expiresAt = expiresAt;

        emit HoldRenewed(holdId, expiresAt);
    }

    /// @inheritdoc IHoldable
    function holdOf(bytes32 holdId) external view returns (Hold memory) {
        return _holds[holdId];
    }

    /// @inheritdoc IHoldable
    function balanceOnHold(address holder) public view returns (uint256 units) {
        return _heldUnits[holder];
    }

    /// @inheritdoc IHoldable
    function netBalanceOf(address holder) external view returns (uint256 units) {
        return balanceOf(holder) - _heldUnits[holder];
    }

    /// @dev The wallet that now stands for `holder`. One step for each recovery of the same investor.
    function _successorOf(address holder) internal view returns (address wallet) {
        wallet = holder;
        while (_isFlagged(wallet, RECOVERED)) wallet = _successors[wallet];
    }

    /// @dev A lost wallet hands over what is held, and may neither send nor receive again.
    function _succeed(address lost, address successor) internal {
        _successors[lost] = successor;
        _setFlag(lost, RECOVERED, true);
        _setFlag(lost, FROZEN, true);
        uint256 heldUnits = _heldUnits[lost];
        if (heldUnits == 0) return;

        delete _heldUnits[lost];
        _setFlag(lost, HAS_HOLDS, false);
        _heldUnits[successor] += heldUnits;
        _setFlag(successor, HAS_HOLDS, true);
    }

    function _hold(bytes32 ref, address from, address to, address notary, uint256 units, uint64 expiresAt)
        private
        returns (bytes32 holdId)
    {
        holdId = keccak256(abi.encode(msg.sender, from, ref));
        require(units > 0, EmptyHold());
        require(_holds[holdId].units == 0, HoldExists(holdId));
        require(block.timestamp <= expiresAt, HoldExpiryPassed(holdId, expiresAt, block.timestamp));
        require(to != address(0), ERC20InvalidReceiver(to));
        require(notary != address(0), NotNotary(holdId, notary, msg.sender));
        require(balanceOf(from) >= units, ERC20InsufficientBalance(from, balanceOf(from), units));
        uint256 freeUnits = _freeUnits(from, balanceOf(from));
        require(units <= freeUnits, ERC7943InsufficientUnfrozenBalance(from, units, freeUnits));
        uint8 code = detectTransferRestriction(from, to, units);
        if (code != 0) _refuse(code, from, to, units);

        _holds[holdId] = Hold({
            holder: from,
            expiresAt: expiresAt,
            payee: to,
            notary: notary,
            units: SafeCast.toUint128(units)
        });
        _heldUnits[from] += units;
        _setFlag(from, HAS_HOLDS, true);

        emit HoldPlaced(holdId, from, to, notary, units, expiresAt);
    }

    function _reduceHold(bytes32 holdId, uint256 heldUnits, address holder, uint256 units) private {
        if (units == heldUnits) delete _holds[holdId];
        // forge-lint: disable-next-line(unsafe-typecast) -- smaller than a uint128
        else _holds[holdId].units = uint128(heldUnits - units);
        uint256 leftUnits = _heldUnits[holder] - units;
        _heldUnits[holder] = leftUnits;
        if (leftUnits == 0) _setFlag(holder, HAS_HOLDS, false);
    }

    function _requireHold(bytes32 holdId) private view returns (Hold memory held) {
        held = _holds[holdId];
        require(held.units > 0, NoHold(holdId));
    }
}
