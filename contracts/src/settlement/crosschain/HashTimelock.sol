// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IHashTimelock} from "../../interfaces/IHashTimelock.sol";
import {IHoldable} from "../../interfaces/IHoldable.sol";

/// @title HashTimelock
/// @notice Keeps one leg of a swap whose other leg is kept by the same contract on another chain.
///
/// LIFE. lock -> claim or refund; both are final, and never both: claims end in the second before refunds begin.
/// HASH. SHA-256 of exactly 32 bytes: every chain, bank ledger and signing device has it, which cannot be said of
/// keccak-256; and a secret of one length cannot be valid on one chain and too long for the other.
/// KEEPING. Cash is held here. Units stay with their holder of record on a hold whose notary is this contract, so that
/// a coupon falling due meanwhile is paid to the holder and not to a contract.
/// WHAT IT DOES NOT DO. It knows nothing of the other chain. That both legs carry one hash, and that the timelock of
/// whoever makes the secret ends well after the other one, is for the parties to check before they lock.
/// A token that refuses the payee (block list, pause, freeze) keeps the claim from succeeding, while the secret is public.
/// TOKEN REQUIREMENTS. Moves exactly the amount asked for; anything else reverts.
/// ROUNDINGS. None: amounts are exact integers fixed at lock.
/// ROLES. None.
contract HashTimelock is IHashTimelock, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    mapping(bytes32 lockId => Status) private _status;

    /// @inheritdoc IHashTimelock
    function lock(Leg calldata leg) external nonReentrant returns (bytes32 lockId) {
        lockId = lockIdOf(leg);
        _requireStatus(lockId, Status.None);
        require(msg.sender == leg.payer, NotPayer(lockId, msg.sender, leg.payer));
        require(leg.payee != leg.payer && leg.payee != address(0), SamePayee(lockId, leg.payee));
        require(leg.amount > 0, EmptyLock(lockId));
        require(block.timestamp < leg.timelock, TimelockPassed(lockId, leg.timelock, block.timestamp));

        _status[lockId] = Status.Locked;

        emit Locked(
            lockId, leg.tradeId, leg.hashlock, leg.kind, leg.token, leg.payer, leg.payee, leg.amount, leg.timelock
        );

        if (leg.kind == Kind.Escrow) {
            _moveExactly(lockId, leg, leg.payer, address(this));
        } else {
            IHoldable(leg.token).holdFrom(
                lockId, leg.payer, leg.payee, address(this), leg.amount, leg.timelock - 1
            );
        }
    }

    /// @inheritdoc IHashTimelock
    function claim(Leg calldata leg, bytes32 secret) external nonReentrant {
        bytes32 lockId = lockIdOf(leg);
        _requireStatus(lockId, Status.Locked);
        require(block.timestamp < leg.timelock, TimelockPassed(lockId, leg.timelock, block.timestamp));
        bytes32 shown = sha256(abi.encodePacked(secret));
        require(shown == leg.hashlock, WrongSecret(lockId, shown, leg.hashlock));

        _status[lockId] = Status.Claimed;

        emit Claimed(lockId, leg.tradeId, msg.sender, secret);

        if (leg.kind == Kind.Escrow) {
            _moveExactly(lockId, leg, address(this), leg.payee);
        } else {
            IHoldable(leg.token).executeHold(_holdId(lockId, leg), leg.amount);
        }
    }

    /// @inheritdoc IHashTimelock
    function refund(Leg calldata leg) external nonReentrant {
        bytes32 lockId = lockIdOf(leg);
        _requireStatus(lockId, Status.Locked);
        require(block.timestamp >= leg.timelock, TimelockRunning(lockId, leg.timelock, block.timestamp));

        _status[lockId] = Status.Refunded;

        emit Refunded(lockId, leg.tradeId, msg.sender);

        if (leg.kind == Kind.Escrow) {
            _moveExactly(lockId, leg, address(this), leg.payer);
        } else if (IHoldable(leg.token).holdOf(_holdId(lockId, leg)).units > 0) {
            // Otherwise somebody has released the hold at the register, as anyone may once it has expired.
            IHoldable(leg.token).releaseHold(_holdId(lockId, leg));
        }
    }

    /// @inheritdoc IHashTimelock
    function statusOf(bytes32 lockId) external view returns (Status) {
        return _status[lockId];
    }

    /// @inheritdoc IHashTimelock
    function lockIdOf(Leg calldata leg) public view returns (bytes32 lockId) {
        return keccak256(abi.encode(block.chainid, address(this), leg));
    }

    /// @dev Both sides are measured: a fee on either was not agreed.
    function _moveExactly(bytes32 lockId, Leg calldata leg, address from, address to) private {
        IERC20 token = IERC20(leg.token);
        uint256 fromBefore = token.balanceOf(from);
        uint256 toBefore = token.balanceOf(to);
        if (from == address(this)) token.safeTransfer(to, leg.amount);
        else token.safeTransferFrom(from, to, leg.amount);
        uint256 received = token.balanceOf(to) - toBefore;
        require(received == leg.amount, LockNotDelivered(lockId, leg.token, received, leg.amount));
        uint256 sent = fromBefore - token.balanceOf(from);
        require(sent == leg.amount, LockNotDelivered(lockId, leg.token, sent, leg.amount));
    }

    function _requireStatus(bytes32 lockId, Status expected) private view {
        Status actual = _status[lockId];
        require(actual == expected, WrongLockStatus(lockId, actual, expected));
    }

    /// @dev The register's rule for ids; the lock's id is the reference, so that nobody else can take it.
    function _holdId(bytes32 lockId, Leg calldata leg) private view returns (bytes32) {
        return keccak256(abi.encode(address(this), leg.payer, lockId));
    }
}
