// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IHoldable} from "../../interfaces/IHoldable.sol";
import {IKeyReleaseAsset} from "../../interfaces/IKeyReleaseAsset.sol";

/// @title KeyReleaseAsset
/// @notice Keeps the units of a sale on hold until the payment chain's outcome is proved by a key.
///
/// LIFE. inceptTransfer (buyer) -> confirmTransfer (seller: units on hold) -> transferWithKey (either, each with its own
/// key) or, where there is a time-out, reclaimAfterTimeout (seller).
/// KEYS. Documents of any length, agreed by their SHA-256. Which of the two becomes public is decided on the payment
/// chain; who keeps them secret until then is trusted with both legs.
/// TIME-OUT. The draft has none: if no key ever comes the units stay on hold for ever. With one the seller gets them
/// back, and a key that comes later opens nothing: if the buyer has paid, it has paid for nothing. Neither is safe
/// against a dead key holder; the constructor chooses which harm it is.
/// ROUNDINGS. None. ROLES. None.
contract KeyReleaseAsset is IKeyReleaseAsset, ReentrancyGuardTransient {
    IHoldable public immutable BOND;
    uint64 public immutable TIMEOUT_S; // [s] 0 = none

    mapping(uint256 id => Lock) private _locks;

    /// @param bond Register with holds.
    /// @param timeoutS Seconds after the lock at which the seller may take its units back; 0 = never.
    constructor(IHoldable bond, uint64 timeoutS) {
        BOND = bond;
        TIMEOUT_S = timeoutS;
    }

    /// @inheritdoc IKeyReleaseAsset
    function inceptTransfer(
        uint256 id,
        int256 amount,
        address from,
        bytes calldata keyHashedSeller,
        bytes calldata keyEncryptedSeller
    ) external {
        _requireStatus(id, LockStatus.None);
        require(amount > 0 && amount <= int256(uint256(type(uint128).max)), InvalidAmount(id, amount));
        require(from != msg.sender && from != address(0), SameParty(id, from));
        require(keyHashedSeller.length == 32, InvalidKeyHash(id, keyHashedSeller.length));

        Lock storage l = _locks[id];
        l.status = LockStatus.Incepted;
        // forge-lint: disable-next-line(unsafe-typecast) -- bounded above
        l.units = uint128(uint256(amount));
        l.seller = from;
        l.buyer = msg.sender;
        l.sellerHash = bytes32(keyHashedSeller);

        emit TransferIncepted(id, amount, from, msg.sender, keyHashedSeller, keyEncryptedSeller);
    }

    /// @inheritdoc IKeyReleaseAsset
    function confirmTransfer(
        uint256 id,
        int256 amount,
        address to,
        bytes calldata keyHashedBuyer,
        bytes calldata keyEncryptedBuyer
    ) external nonReentrant {
        Lock storage l = _locks[id];
        _requireStatus(id, LockStatus.Incepted);
        _requireSame(id, "amount", uint256(amount), l.units);
        _requireSame(id, "seller", uint160(msg.sender), uint160(l.seller));
        _requireSame(id, "buyer", uint160(to), uint160(l.buyer));
        bool isHash = keyHashedBuyer.length == 32 && bytes32(keyHashedBuyer) != l.sellerHash;
        require(isHash, InvalidKeyHash(id, keyHashedBuyer.length));

        l.status = LockStatus.Locked;
        l.lockedAt = uint64(block.timestamp);
        l.buyerHash = bytes32(keyHashedBuyer);

        emit TransferConfirmed(id, amount, msg.sender, to, keyHashedBuyer, keyEncryptedBuyer);

        uint64 expiresAt = TIMEOUT_S == 0 ? type(uint64).max : uint64(block.timestamp) + TIMEOUT_S - 1;
        BOND.holdFrom(bytes32(id), msg.sender, to, address(this), l.units, expiresAt);
    }

    /// @inheritdoc IKeyReleaseAsset
    function transferWithKey(uint256 id, bytes calldata key) external nonReentrant {
        Lock storage l = _locks[id];
        _requireStatus(id, LockStatus.Locked);
        bool isBuyer = msg.sender == l.buyer;
        require(isBuyer || msg.sender == l.seller, NotParty(id, msg.sender));
        bytes32 expected = isBuyer ? l.buyerHash : l.sellerHash;
        bytes32 shown = sha256(key);
        require(shown == expected, WrongKey(id, shown, expected));

        if (isBuyer) {
            l.status = LockStatus.Claimed;

            emit TokenClaimed(id, key);

            BOND.executeHold(_holdId(id, l.seller), l.units);
        } else {
            l.status = LockStatus.Reclaimed;

            emit TokenReclaimed(id, key);

            _release(id, l.seller);
        }
    }

    /// @inheritdoc IKeyReleaseAsset
    function reclaimAfterTimeout(uint256 id) external nonReentrant {
        Lock storage l = _locks[id];
        _requireStatus(id, LockStatus.Locked);
        require(msg.sender == l.seller, NotParty(id, msg.sender));
        require(TIMEOUT_S > 0, NoTimeout());
        uint256 timeoutAt = uint256(l.lockedAt) + TIMEOUT_S;
        require(block.timestamp >= timeoutAt, TimeoutNotReached(id, timeoutAt, block.timestamp));

        l.status = LockStatus.Reclaimed;

        emit TokenTimedOut(id, msg.sender);

        _release(id, l.seller);
    }

    /// @inheritdoc IKeyReleaseAsset
    function lockOf(uint256 id) external view returns (Lock memory) {
        return _locks[id];
    }

    /// @dev A hold that has expired may have been released at the register already.
    function _release(uint256 id, address seller) private {
        bytes32 holdId = _holdId(id, seller);
        if (BOND.holdOf(holdId).units > 0) BOND.releaseHold(holdId);
    }

    function _holdId(uint256 id, address seller) private view returns (bytes32) {
        return keccak256(abi.encode(address(this), seller, bytes32(id)));
    }

    function _requireStatus(uint256 id, LockStatus expected) private view {
        LockStatus actual = _locks[id].status;
        require(actual == expected, WrongLockStatus(id, actual, expected));
    }

    function _requireSame(uint256 id, bytes32 what, uint256 actual, uint256 expected) private pure {
        require(actual == expected, TermsDiffer(id, what, actual, expected));
    }
}
