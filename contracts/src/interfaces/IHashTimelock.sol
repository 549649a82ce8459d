// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IHashTimelock
/// @notice One leg of a swap across two chains: it goes to the payee on a secret, or back after a time.
/// @dev | name       | scale       | example                                                  |
///      | `amount`   | 1e6 or 1e0  | millionths of the currency in cash, units in bonds       |
///      | `timelock` | UTC seconds | claim in [lock, timelock), refund in [timelock, for ever) |
///      | `hashlock` | SHA-256     | of a secret of 32 bytes                                  |
interface IHashTimelock {
    /// @notice How the amount is kept until the lock ends.
    enum Kind {
        Escrow, // this contract holds it
        Hold // the payer stays holder of record, this contract is the notary

    }

    enum Status {
        None,
        Locked,
        Claimed,
        Refunded
    }

    /// @notice Every term of a leg. The lock's id is the hash of all of them.
    /// @param tradeId The parties' own number, the same on both chains.
    /// @param kind Escrow for cash, Hold for a register with holds.
    /// @param token What is locked.
    /// @param payer Who locks, and gets it back.
    /// @param payee Who is paid when the secret is shown, whoever shows it.
    /// @param amount How much.
    /// @param hashlock SHA-256 of the secret.
    /// @param timelock First second at which it can be taken back, and no longer claimed (UTC).
    struct Leg {
        bytes32 tradeId;
        Kind kind;
        address token;
        address payer;
        address payee;
        uint128 amount;
        bytes32 hashlock;
        uint64 timelock;
    }

    error WrongLockStatus(bytes32 lockId, Status actual, Status expected);
    error NotPayer(bytes32 lockId, address actual, address expected);
    error SamePayee(bytes32 lockId, address payee);
    error EmptyLock(bytes32 lockId);
    error TimelockPassed(bytes32 lockId, uint256 timelock, uint256 nowSeconds);
    error TimelockRunning(bytes32 lockId, uint256 timelock, uint256 nowSeconds);
    error WrongSecret(bytes32 lockId, bytes32 actualHash, bytes32 hashlock);
    /// @notice The token moved another amount than asked.
    error LockNotDelivered(bytes32 lockId, address token, uint256 actual, uint256 expected);

    event Locked(
        bytes32 indexed lockId,
        bytes32 indexed tradeId,
        bytes32 indexed hashlock,
        Kind kind,
        address token,
        address payer,
        address payee,
        uint256 amount,
        uint256 timelock
    );
    /// @notice The secret is public from here on, for the other leg too.
    event Claimed(bytes32 indexed lockId, bytes32 indexed tradeId, address indexed by, bytes32 secret);
    event Refunded(bytes32 indexed lockId, bytes32 indexed tradeId, address indexed by);

    /// @notice Locks the caller's leg. The caller has approved this contract for the amount.
    /// @dev Errors in order of precedence: WrongLockStatus, NotPayer, SamePayee, EmptyLock, TimelockPassed, the token's
    ///      own, LockNotDelivered.
    function lock(Leg calldata leg) external returns (bytes32 lockId);

    /// @notice Pays the payee against the secret, before the timelock. Anyone may show it.
    /// @dev Errors in order of precedence: WrongLockStatus, TimelockPassed, WrongSecret, the token's own.
    function claim(Leg calldata leg, bytes32 secret) external;

    /// @notice Gives the leg back to the payer, from the timelock on. Anyone may send.
    /// @dev Errors in order of precedence: WrongLockStatus, TimelockRunning, the token's own.
    function refund(Leg calldata leg) external;

    function lockIdOf(Leg calldata leg) external view returns (bytes32 lockId);

    function statusOf(bytes32 lockId) external view returns (Status);
}
