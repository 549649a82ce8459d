// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IDvPSettlement} from "../interfaces/IDvPSettlement.sol";

uint256 constant MAX_MATCHES = 100; // trades matched in one transaction

/// @title SettlementBook
/// @notice What was agreed and how much of it is done: one storage word for each trade.
///
/// IDS. An instruction's id is the digest of all its terms under this chain and contract. Other terms are another
/// trade, so two parties who affirm unequal terms have agreed on nothing.
/// SIGNATURES. A party's own key comes first, its contract code (ERC-1271) second, so that a plain account costs no look
/// at its code. Signatures with a high s are refused.
abstract contract SettlementBook is IDvPSettlement, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant INSTRUCTION_TYPEHASH = keccak256(
        "Instruction(bytes32 tradeId,address bond,address cash,address seller,address buyer,uint128 units,"
        "uint128 cashUsd6,uint128 minFillUnits,uint64 tradeTime,uint64 settleFrom,uint64 deadline,uint8 mode)"
    );

    mapping(bytes32 id => Entry) internal _entries;

    constructor() EIP712("DvPSettlement", "2") {}

    /* AGREE */

    /// @inheritdoc IDvPSettlement
    function affirm(Instruction calldata terms) external nonReentrant {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        _requireMatchable(id, terms, entry.status);
        bool bySeller = _requireParty(id, terms);
        _requireNew(id, bySeller ? entry.sellerConsents : entry.buyerConsents);

        if (bySeller) entry.sellerConsents = true;
        else entry.buyerConsents = true;

        emit Affirmed(id, terms.tradeId, msg.sender, terms);

        if (entry.sellerConsents && entry.buyerConsents) _writeMatched(id, terms, entry, Status.Matched);
        else _entries[id] = entry;
    }

    /// @inheritdoc IDvPSettlement
    function matchSigned(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external
        nonReentrant
    {
        _match(terms, sellerSignature, buyerSignature);
    }

    /// @inheritdoc IDvPSettlement
    function matchBatch(Signed[] calldata trades) external nonReentrant {
        _requireAtMost(trades.length, MAX_MATCHES);

        for (uint256 i = 0; i < trades.length; ++i) {
            _match(trades[i].terms, trades[i].sellerSignature, trades[i].buyerSignature);
        }
    }

    /* VIEWS */

    /// @inheritdoc IDvPSettlement
    function statusOf(bytes32 id) external view returns (Status) {
        return _entries[id].status;
    }

    /// @inheritdoc IDvPSettlement
    function entryOf(bytes32 id) external view returns (Entry memory) {
        return _entries[id];
    }

    /// @inheritdoc IDvPSettlement
    function instructionId(Instruction calldata terms) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(INSTRUCTION_TYPEHASH, terms)));
    }

    /* CHECKS */

    function _requireMatchable(bytes32 id, Instruction calldata terms, Status status) private view {
        _requireStatus(status == Status.None, id, status, Status.None);
        _requireTerms(id, terms);
        _requireByDeadline(id, terms);
    }

    function _requireSettleable(bytes32 id, Instruction calldata terms, Status status) internal view {
        _requireStatus(_isSettleable(terms, status), id, status, _readyStatus(terms));
        _requireTerms(id, terms);
        require(block.timestamp >= terms.settleFrom, TooEarly(id, terms.settleFrom, block.timestamp));
        _requireByDeadline(id, terms);
    }

    function _isSettleable(Instruction calldata terms, Status status) private pure returns (bool) {
        if (terms.mode == Mode.Hold) return status == Status.Held;
        return status == Status.None || status == Status.Matched || status == Status.Failed;
    }

    function _readyStatus(Instruction calldata terms) private pure returns (Status) {
        return terms.mode == Mode.Hold ? Status.Held : Status.Matched;
    }

    function _requireStatus(bool holds, bytes32 id, Status actual, Status expected) internal pure {
        require(holds, WrongStatus(id, actual, expected));
    }

    function _requireMode(bytes32 id, Instruction calldata terms, Mode expected) internal pure {
        require(terms.mode == expected, WrongMode(id, terms.mode, expected));
    }

    function _requireByDeadline(bytes32 id, Instruction calldata terms) internal view {
        require(block.timestamp <= terms.deadline, Expired(id, terms.deadline, block.timestamp));
    }

    function _requireAtMost(uint256 count, uint256 max) internal pure {
        require(count <= max, TooMany(count, max));
    }

    function _requireTerms(bytes32 id, Instruction calldata terms) internal pure {
        require(terms.seller != terms.buyer, SameParty(id, terms.seller));
        _requireNotEmpty(id, terms.units, terms.cashUsd6);
        require(
            terms.minFillUnits > 0 && terms.minFillUnits <= terms.units,
            InvalidMinFill(id, terms.minFillUnits, terms.units)
        );
    }

    function _requireNotEmpty(bytes32 id, uint256 units, uint256 usd6) private pure {
        require(units > 0 && usd6 > 0, EmptyLeg(id, units, usd6));
    }

    function _requireParty(bytes32 id, Instruction calldata terms) internal view returns (bool isSeller) {
        isSeller = msg.sender == terms.seller;
        require(isSeller || msg.sender == terms.buyer, NotParty(id, msg.sender));
    }

    function _requireNew(bytes32 id, bool isDone) internal view {
        require(!isDone, AlreadyDone(id, msg.sender));
    }

    /// @dev Each party has affirmed before, or signs now.
    function _requireConsents(
        bytes32 id,
        Instruction calldata terms,
        Entry memory entry,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) internal view {
        if (!entry.sellerConsents) _requireSigned(id, terms.seller, sellerSignature);
        if (!entry.buyerConsents) _requireSigned(id, terms.buyer, buyerSignature);
    }

    /// @return usd6 Cash of this fill (1e6), rounded so that all fills add up to the price.
    function _requireFill(bytes32 id, Instruction calldata terms, uint256 filledUnits, uint256 units)
        internal
        pure
        returns (uint256 usd6)
    {
        uint256 leftUnits = terms.units - filledUnits;
        require(
            units == leftUnits || (units >= terms.minFillUnits && units < leftUnits),
            WrongFill(id, units, terms.minFillUnits, leftUnits)
        );
        usd6 = _paidDown(terms, filledUnits + units) - _paidDown(terms, filledUnits);
        _requireNotEmpty(id, units, usd6);
    }

    /* AMOUNTS */

    /// @dev What is not delivered and not paid yet.
    function _left(Instruction calldata terms, uint256 filledUnits)
        internal
        pure
        returns (uint256 units, uint256 usd6)
    {
        units = terms.units - filledUnits;
        usd6 = terms.cashUsd6 - _paidDown(terms, filledUnits);
    }

    /// @dev Both factors have 128 bits, so the product fits.
    function _paidDown(Instruction calldata terms, uint256 filledUnits) private pure returns (uint256 usd6) {
        if (filledUnits == terms.units) return terms.cashUsd6;
        return uint256(terms.cashUsd6) * filledUnits / terms.units;
    }

    /* WRITING */

    /// @dev The consents are on chain from now on: nobody needs to show the signatures again.
    function _writeMatched(bytes32 id, Instruction calldata terms, Entry memory entry, Status status) internal {
        bool isNews = entry.status == Status.None;
        entry.sellerConsents = true;
        entry.buyerConsents = true;
        entry.status = status;
        _entries[id] = entry;

        if (isNews) emit Matched(id, terms.tradeId, terms);
    }

    /// @dev Books a fill before the tokens move.
    function _fill(bytes32 id, Instruction calldata terms, Entry memory entry, uint256 units, uint256 usd6) internal {
        uint256 filledUnits = entry.filledUnits + units;
        // forge-lint: disable-next-line(unsafe-typecast) -- at most terms.units
        entry.filledUnits = uint128(filledUnits);

        if (filledUnits < terms.units) {
            _writeMatched(id, terms, entry, _readyStatus(terms));
            emit PartlySettled(id, terms.tradeId, units, usd6, filledUnits);
        } else {
            entry.status = Status.Settled;
            _entries[id] = entry;
            emit Settled(
                id, terms.tradeId, terms.bond, terms.cash, terms.seller, terms.buyer, units, usd6
            );
        }
    }

    function _match(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        private
    {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        _requireMatchable(id, terms, entry.status);
        _requireConsents(id, terms, entry, sellerSignature, buyerSignature);

        _writeMatched(id, terms, entry, Status.Matched);
    }

    /* MOVING */

    /// @dev What left and what arrived are both measured: a fee on either side was not agreed.
    function _move(bytes32 id, address token, address from, address to, uint256 amount) internal {
        (uint256 fromBefore, uint256 toBefore) = _balances(token, from, to);
        if (from == address(this)) IERC20(token).safeTransfer(to, amount);
        else IERC20(token).safeTransferFrom(from, to, amount);
        _requireMoved(id, token, from, to, amount, fromBefore, toBefore);
    }

    function _requireMoved(
        bytes32 id,
        address token,
        address from,
        address to,
        uint256 amount,
        uint256 fromBefore,
        uint256 toBefore
    ) internal view {
        (uint256 fromAfter, uint256 toAfter) = _balances(token, from, to);
        _requireExact(id, token, toAfter - toBefore, amount);
        _requireExact(id, token, fromBefore - fromAfter, amount);
    }

    function _requireExact(bytes32 id, address token, uint256 actual, uint256 expected) internal pure {
        require(actual == expected, LegNotDelivered(id, token, actual, expected));
    }

    function _balances(address token, address from, address to)
        internal
        view
        returns (uint256 fromAmount, uint256 toAmount)
    {
        fromAmount = IERC20(token).balanceOf(from);
        toAmount = IERC20(token).balanceOf(to);
    }

    function _requireSigned(bytes32 id, address party, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(id, signature);
        if (fault == ECDSA.RecoverError.NoError && signer == party) return;
        require(SignatureChecker.isValidERC1271SignatureNowCalldata(party, id, signature), NotSigned(id, party));
    }
}
