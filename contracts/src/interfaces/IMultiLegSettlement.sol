// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IMultiLegSettlement
/// @notice Several legs among several parties, all or none: payment versus payment, switches, three-party trades.
/// @dev | name     | scale       | example                                       |
///      | `amount` | of token    | 250 = 250 bonds; 1_000_000 = one dollar       |
///      | times    | UTC seconds | deadline is the last good second              |
///      | `id`     | 32 bytes    | EIP-712 digest of the legs under this contract |
interface IMultiLegSettlement {
    enum Status {
        None,
        Settled,
        Cancelled
    }

    /// @notice One movement. @param amount In the token's smallest unit.
    struct Leg {
        address token;
        address giver;
        address receiver;
        uint256 amount;
    }

    /// @notice All that is agreed; the legs move in this order.
    /// @param tradeId The parties' own reference.
    /// @param settleFrom First second at which it may settle.
    /// @param deadline Last second at which it may settle.
    struct Instruction {
        bytes32 tradeId;
        Leg[] legs;
        uint64 tradeTime;
        uint64 settleFrom;
        uint64 deadline;
    }

    error WrongStatus(bytes32 id, Status actual, Status expected);
    error NoLegs(bytes32 id);
    error TooManyLegs(bytes32 id, uint256 count, uint256 max);
    /// @notice A leg from an account to itself.
    error SameParty(bytes32 id, address party);
    error EmptyLeg(bytes32 id, uint256 leg);
    error TooEarly(bytes32 id, uint64 settleFrom, uint256 nowSeconds);
    error Expired(bytes32 id, uint64 deadline, uint256 nowSeconds);
    /// @notice One signature for each account that gives something, in the order in which they first give.
    error WrongSignatureCount(bytes32 id, uint256 actual, uint256 expected);
    error NotSigned(bytes32 id, address party);
    error NotParty(bytes32 id, address caller);
    /// @notice A token moved another amount than agreed.
    error LegNotDelivered(bytes32 id, address token, uint256 actual, uint256 expected);

    /// @notice All legs moved.
    event Settled(bytes32 indexed id, bytes32 indexed tradeId, Leg[] legs);
    event Cancelled(bytes32 indexed id, bytes32 indexed tradeId, address indexed party);

    /// @notice Moves all legs or none. Callable by anyone who has the signatures.
    /// @dev Errors in order: WrongStatus, NoLegs, TooManyLegs, SameParty and EmptyLeg leg by leg, TooEarly, Expired,
    ///      WrongSignatureCount, NotSigned (in the order of the givers), the tokens' own errors, LegNotDelivered.
    /// @param signatures One for each giver, in the order in which the legs first name them.
    function settle(Instruction calldata instruction, bytes[] calldata signatures) external;

    /// @notice Ends an instruction that has not settled. Callable by any account that would give something.
    function cancel(Instruction calldata instruction) external;

    /// @notice EIP-712 digest of the legs: what every giver signs.
    function instructionId(Instruction calldata instruction) external view returns (bytes32);

    /// @notice Who must sign, in order.
    function giversOf(Instruction calldata instruction) external view returns (address[] memory givers);

    function statusOf(bytes32 id) external view returns (Status);
}
