// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IKeyReleaseAsset
/// @notice The side of a swap that is locked until a key is shown: functions and events of `ILockingContract` in the
/// draft ERC-7573, and a time-out that the draft does not have.
/// @dev | name         | scale       | example                                          |
///      | `amount`     | 1e0         | units, positive                                  |
///      | `keyHashed…` | SHA-256     | 32 bytes, of the whole key document              |
///      | `timeoutS`   | seconds     | 0 = none, as in the draft                        |
interface IKeyReleaseAsset {
    enum LockStatus {
        None,
        Incepted,
        Locked,
        Claimed,
        Reclaimed
    }

    /// @param seller Holder of record. @param buyer Who is delivered to.
    /// @param lockedAt Second of the confirmation (UTC).
    struct Lock {
        LockStatus status;
        uint64 lockedAt;
        uint128 units;
        address seller;
        address buyer;
        bytes32 sellerHash;
        bytes32 buyerHash;
    }

    error WrongLockStatus(uint256 id, LockStatus actual, LockStatus expected);
    error InvalidAmount(uint256 id, int256 amount);
    error SameParty(uint256 id, address party);
    /// @notice Hashes are 32 bytes, and those of buyer and seller differ.
    error InvalidKeyHash(uint256 id, uint256 length);
    error TermsDiffer(uint256 id, bytes32 what, uint256 actual, uint256 expected);
    error NotParty(uint256 id, address caller);
    error WrongKey(uint256 id, bytes32 actualHash, bytes32 expectedHash);
    error TimeoutNotReached(uint256 id, uint256 timeoutAt, uint256 nowSeconds);
    error NoTimeout();

    event TransferIncepted(
        uint256 id, int256 amount, address from, address to, bytes keyHashedSeller, bytes keyEncryptedSeller
    );
    event TransferConfirmed(
        uint256 id, int256 amount, address from, address to, bytes keyHashedBuyer, bytes keyEncryptedBuyer
    );
    event TokenClaimed(uint256 id, bytes key);
    event TokenReclaimed(uint256 id, bytes key);
    /// @notice Not in the draft: the seller has its units back without a key.
    event TokenTimedOut(uint256 id, address by);

    /// @notice The buyer names the terms and the hash of the key that gives the units back to the seller.
    /// @dev Errors in order of precedence: WrongLockStatus, InvalidAmount, SameParty, InvalidKeyHash.
    function inceptTransfer(
        uint256 id, int256 amount, address from, bytes calldata keyHashedSeller, bytes calldata keyEncryptedSeller
    ) external;

    /// @notice The seller repeats the terms, names the hash of the buyer's key, and its units go on hold.
    /// @dev Errors in order of precedence: WrongLockStatus, TermsDiffer (amount, seller, buyer), InvalidKeyHash, the
    ///      token's own.
    function confirmTransfer(
        uint256 id, int256 amount, address to, bytes calldata keyHashedBuyer, bytes calldata keyEncryptedBuyer
    ) external;

    /// @notice Ends the lock: the buyer's key delivers, the seller's key gives back.
    /// @dev Errors in order of precedence: WrongLockStatus, NotParty, WrongKey, the token's own.
    function transferWithKey(uint256 id, bytes calldata key) external;

    /// @notice Gives the units back once the time-out has passed, key or no key. Seller only.
    /// @dev Errors in order of precedence: WrongLockStatus, NotParty, NoTimeout, TimeoutNotReached.
    function reclaimAfterTimeout(uint256 id) external;

    function lockOf(uint256 id) external view returns (Lock memory);
}
