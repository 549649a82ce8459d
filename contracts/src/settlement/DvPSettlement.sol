// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IDvPSettlement} from "../interfaces/IDvPSettlement.sol";

/// @title DvPSettlement
/// @notice Atomic delivery versus payment on terms that both parties signed.
///
/// LIFE. None -> Settled or Cancelled; both are final. A failed attempt changes nothing and may be repeated
/// until the deadline.
/// CONSENT. The signature over all terms is the consent; the allowance only lets the tokens move.
/// TOKEN REQUIREMENTS. Each token moves exactly the amount asked for; anything else reverts both legs.
/// ROUNDINGS. None: both legs are exact integers fixed at signature.
/// ROLES. None. Nobody can move anything that was not signed for.
contract DvPSettlement is IDvPSettlement, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(bytes32 tradeId,address bond,address cash,address seller,address buyer,uint128 units,"
        "uint128 cashUsd6,uint64 tradeTime,uint64 settleFrom,uint64 deadline)"
    );

    mapping(bytes32 id => Status) private _status;

    constructor() EIP712("DvPSettlement", "1") {}

    /// @inheritdoc IDvPSettlement
    function settle(Instruction calldata instruction, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external
        nonReentrant
    {
        bytes32 id = instructionId(instruction);
        _requireOpen(id);
        _requireTerms(id, instruction);
        _requireSigned(id, instruction.seller, sellerSignature);
        _requireSigned(id, instruction.buyer, buyerSignature);

        _status[id] = Status.Settled;

        emit Settled(
            id,
            instruction.tradeId,
            instruction.bond,
            instruction.cash,
            instruction.seller,
            instruction.buyer,
            instruction.units,
            instruction.cashUsd6
        );

        _move(id, instruction.bond, instruction.seller, instruction.buyer, instruction.units);
        _move(id, instruction.cash, instruction.buyer, instruction.seller, instruction.cashUsd6);
    }

    /// @inheritdoc IDvPSettlement
    function cancel(Instruction calldata instruction) external {
        bytes32 id = instructionId(instruction);
        _requireOpen(id);
        require(msg.sender == instruction.seller || msg.sender == instruction.buyer, NotParty(id, msg.sender));

        _status[id] = Status.Cancelled;

        emit Cancelled(id, instruction.tradeId, msg.sender);
    }

    /// @inheritdoc IDvPSettlement
    function statusOf(bytes32 id) external view returns (Status) {
        return _status[id];
    }

    /// @inheritdoc IDvPSettlement
    function instructionId(Instruction calldata instruction) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(INSTRUCTION_TYPEHASH, instruction)));
    }

    function _requireOpen(bytes32 id) private view {
        require(_status[id] == Status.None, WrongStatus(id, _status[id], Status.None));
    }

    function _requireTerms(bytes32 id, Instruction calldata instruction) private view {
        require(instruction.seller != instruction.buyer, SameParty(id, instruction.seller));
        require(
            instruction.units > 0 && instruction.cashUsd6 > 0, EmptyLeg(id, instruction.units, instruction.cashUsd6)
        );
        require(block.timestamp >= instruction.settleFrom, TooEarly(id, instruction.settleFrom, block.timestamp));
        require(block.timestamp <= instruction.deadline, Expired(id, instruction.deadline, block.timestamp));
    }

    function _requireSigned(bytes32 id, address party, bytes calldata signature) private view {
        require(SignatureChecker.isValidSignatureNowCalldata(party, id, signature), NotSigned(id, party));
    }

    /// @dev What left and what arrived are both measured: a fee on either side was not signed for.
    function _move(bytes32 id, address token, address from, address to, uint256 amount) private {
        uint256 fromBefore = IERC20(token).balanceOf(from);
        uint256 toBefore = IERC20(token).balanceOf(to);
        IERC20(token).safeTransferFrom(from, to, amount);
        uint256 received = IERC20(token).balanceOf(to) - toBefore;
        require(received == amount, LegNotDelivered(id, token, received, amount));
        uint256 sent = fromBefore - IERC20(token).balanceOf(from);
        require(sent == amount, LegNotDelivered(id, token, sent, amount));
    }
}
