// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IMultiLegSettlement} from "../interfaces/IMultiLegSettlement.sol";

uint256 constant MAX_LEGS = 16;

/// @title MultiLegSettlement
/// @notice Atomic settlement of up to sixteen legs that every giver signed.
///
/// LIFE. None -> Settled or Cancelled; both are final. A refused attempt changes nothing and may be repeated until the
/// deadline.
/// CONSENT. Who gives something signs the digest of all legs, once, however many legs he has. Who only receives signs
/// nothing.
/// ORDER. The legs move in the order signed, so what came in may go out again: a dealer needs no stock to pass a bond on.
/// PVP. Two cash legs against each other: payment versus payment.
/// TOKEN REQUIREMENTS. Each token moves exactly the amount asked for; anything else reverts all legs.
/// ROUNDINGS. None: every leg is an exact integer.
/// ROLES. None. Nobody can move anything that was not signed for.
contract MultiLegSettlement is IMultiLegSettlement, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant LEG_TYPEHASH = keccak256("Leg(address token,address giver,address receiver,uint256 amount)");
    bytes32 private constant INSTRUCTION_TYPEHASH = keccak256(
        "MultiLegInstruction(bytes32 tradeId,Leg[] legs,uint64 tradeTime,uint64 settleFrom,uint64 deadline)"
        "Leg(address token,address giver,address receiver,uint256 amount)"
    );

    mapping(bytes32 id => Status) private _status;

    constructor() EIP712("MultiLegSettlement", "1") {}

    /// @inheritdoc IMultiLegSettlement
    function settle(Instruction calldata instruction, bytes[] calldata signatures) external nonReentrant {
        bytes32 id = instructionId(instruction);
        _requireOpen(id);
        _requireTerms(id, instruction);
        _requireSigned(id, instruction, signatures);

        _status[id] = Status.Settled;

        emit Settled(id, instruction.tradeId, instruction.legs);

        for (uint256 i = 0; i < instruction.legs.length; ++i) {
            _move(id, instruction.legs[i]);
        }
    }

    /// @inheritdoc IMultiLegSettlement
    function cancel(Instruction calldata instruction) external {
        bytes32 id = instructionId(instruction);
        _requireOpen(id);
        _requireLegs(id, instruction.legs);
        require(_gives(instruction.legs, msg.sender, instruction.legs.length), NotParty(id, msg.sender));

        _status[id] = Status.Cancelled;

        emit Cancelled(id, instruction.tradeId, msg.sender);
    }

    /// @inheritdoc IMultiLegSettlement
    function statusOf(bytes32 id) external view returns (Status) {
        return _status[id];
    }

    /// @inheritdoc IMultiLegSettlement
    function giversOf(Instruction calldata instruction) external pure returns (address[] memory givers) {
        return _givers(instruction.legs);
    }

    /// @inheritdoc IMultiLegSettlement
    function instructionId(Instruction calldata instruction) public view returns (bytes32) {
        bytes32[] memory legHashes = new bytes32[](instruction.legs.length);
        for (uint256 i = 0; i < legHashes.length; ++i) {
            legHashes[i] = keccak256(abi.encode(LEG_TYPEHASH, instruction.legs[i]));
        }
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    INSTRUCTION_TYPEHASH,
                    instruction.tradeId,
                    keccak256(abi.encodePacked(legHashes)),
                    instruction.tradeTime,
                    instruction.settleFrom,
                    instruction.deadline
                )
            )
        );
    }

    function _requireOpen(bytes32 id) private view {
        require(_status[id] == Status.None, WrongStatus(id, _status[id], Status.None));
    }

    function _requireTerms(bytes32 id, Instruction calldata instruction) private view {
        _requireLegs(id, instruction.legs);
        for (uint256 i = 0; i < instruction.legs.length; ++i) {
            Leg calldata leg = instruction.legs[i];
            require(leg.giver != leg.receiver, SameParty(id, leg.giver));
            require(leg.amount > 0, EmptyLeg(id, i));
        }
        require(block.timestamp >= instruction.settleFrom, TooEarly(id, instruction.settleFrom, block.timestamp));
        require(block.timestamp <= instruction.deadline, Expired(id, instruction.deadline, block.timestamp));
    }

    function _requireLegs(bytes32 id, Leg[] calldata legs) private pure {
        require(legs.length > 0, NoLegs(id));
        require(legs.length <= MAX_LEGS, TooManyLegs(id, legs.length, MAX_LEGS));
    }

    function _requireSigned(bytes32 id, Instruction calldata instruction, bytes[] calldata signatures) private view {
        address[] memory givers = _givers(instruction.legs);
        require(signatures.length == givers.length, WrongSignatureCount(id, signatures.length, givers.length));
        for (uint256 i = 0; i < givers.length; ++i) {
            require(
                SignatureChecker.isValidSignatureNowCalldata(givers[i], id, signatures[i]), NotSigned(id, givers[i])
            );
        }
    }

    /// @dev Each account once, in the order in which the legs first name it as giver.
    function _givers(Leg[] calldata legs) private pure returns (address[] memory givers) {
        uint256 count = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (!_gives(legs, legs[i].giver, i)) ++count;
        }
        givers = new address[](count);
        uint256 next = 0;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (!_gives(legs, legs[i].giver, i)) givers[next++] = legs[i].giver;
        }
    }

    /// @dev Whether one of the first `count` legs is given by the account.
    function _gives(Leg[] calldata legs, address account, uint256 count) private pure returns (bool) {
        for (uint256 i = 0; i < count; ++i) {
            if (legs[i].giver == account) return true;
        }
        return false;
    }

    /// @dev What left and what arrived are both measured: a fee on either side was not signed for.
    function _move(bytes32 id, Leg calldata leg) private {
        IERC20 token = IERC20(leg.token);
        uint256 fromBefore = token.balanceOf(leg.giver);
        uint256 toBefore = token.balanceOf(leg.receiver);
        token.safeTransferFrom(leg.giver, leg.receiver, leg.amount);
        uint256 received = token.balanceOf(leg.receiver) - toBefore;
        require(received == leg.amount, LegNotDelivered(id, leg.token, received, leg.amount));
        uint256 sent = fromBefore - token.balanceOf(leg.giver);
        require(sent == leg.amount, LegNotDelivered(id, leg.token, sent, leg.amount));
    }
}
