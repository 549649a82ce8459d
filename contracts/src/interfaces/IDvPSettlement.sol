// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDvPSettlement
/// @notice Delivery versus payment: both parties sign the same terms, one transaction moves both legs.
/// @dev | name       | scale       | example                          |
///      | `units`    | 1e0         | 250 = 250 bonds                  |
///      | `cashUsd6` | 1e6         | 1_000_000 = one dollar, in total |
///      | times      | UTC seconds | deadline is the last good second |
interface IDvPSettlement {
    enum Status {
        None,
        Settled,
        Cancelled
    }

    /// @notice Every economic term of one trade; its EIP-712 digest is the instruction's id.
    /// @param tradeId The parties' own reference.
    /// @param bond Security delivered by the seller.
    /// @param cash Token paid by the buyer.
    /// @param tradeTime When the trade was agreed.
    /// @param settleFrom First second at which it may settle.
    /// @param deadline Last second at which it may settle.
    struct Instruction {
        bytes32 tradeId;
        address bond;
        address cash;
        address seller;
        address buyer;
        uint128 units;
        uint128 cashUsd6;
        uint64 tradeTime;
        uint64 settleFrom;
        uint64 deadline;
    }

    error WrongStatus(bytes32 id, Status actual, Status expected);
    error SameParty(bytes32 id, address party);
    error EmptyLeg(bytes32 id, uint256 units, uint256 cashUsd6);
    error TooEarly(bytes32 id, uint64 settleFrom, uint256 nowSeconds);
    error Expired(bytes32 id, uint64 deadline, uint256 nowSeconds);
    /// @notice The party did not sign these terms.
    error NotSigned(bytes32 id, address party);
    error NotParty(bytes32 id, address caller);
    /// @notice A token moved another amount than agreed.
    error LegNotDelivered(bytes32 id, address token, uint256 actual, uint256 expected);

    event Settled(
        bytes32 indexed id,
        bytes32 indexed tradeId,
        address indexed bond,
        address cash,
        address seller,
        address buyer,
        uint256 units,
        uint256 cashUsd6
    );
    event Cancelled(bytes32 indexed id, bytes32 indexed tradeId, address indexed party);

    /// @notice Moves both legs or neither. Callable by anyone: both parties have signed.
    /// @dev Errors in order of precedence: WrongStatus, SameParty, EmptyLeg, TooEarly, Expired,
    ///      NotSigned (seller, then buyer), the tokens' own errors, LegNotDelivered.
    function settle(Instruction calldata instruction, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external;

    /// @notice Ends an instruction that has not settled. Callable by either party.
    function cancel(Instruction calldata instruction) external;

    /// @notice EIP-712 digest of the terms: what both parties sign, and the instruction's id.
    function instructionId(Instruction calldata instruction) external view returns (bytes32);

    function statusOf(bytes32 id) external view returns (Status);
}
