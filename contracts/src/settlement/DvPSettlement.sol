// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {IDvPSettlement} from "../interfaces/IDvPSettlement.sol";
import {IHoldable} from "../interfaces/IHoldable.sol";
import {NettingCycle} from "./NettingCycle.sol";
import {SettlementBook} from "./SettlementBook.sol";

uint256 constant MAX_BATCH = 100; // trades in one transaction
uint256 constant ATTEMPT_GAS = 800_000; // given to one attempt: the dearest known bond needs 500,000
uint256 constant ATTEMPT_RESERVE_GAS = 50_000; // kept to record a refusal
uint256 constant ALL_LEFT = type(uint256).max;

/// @title DvPSettlement
/// @notice Delivery versus payment on terms that both parties agreed: at once, in parts, from a lock, or netted.
///
/// READ IN THIS ORDER. SettlementBook (what is agreed), this file (lock, settle, end), NettingCycle (many at once).
/// LIFE. None -> Matched -> (Held) -> Settled or Cancelled; both are final. A settled trade's entry may be purged after
/// its deadline: nothing that starts a trade is taken then. A refused attempt may be recorded as Failed
/// and tried again until the deadline. `settle` with two signatures takes the whole way in one step.
/// CONSENT. An affirmation by the party, or its signature over all terms, is the consent; an allowance only lets tokens
/// move. Once both have agreed, neither can step back alone before the deadline.
/// TWO MODES. Allowance: matched is not settled, the parties must still have what they promised. Hold: units on hold at
/// the bond and cash in escrow here, for this trade alone; want of units or cash cannot stop it any more. What still
/// can: a pause, a freeze, a lapsed identity, a block list, and the deadline.
/// WAIVED HOLDS. The bond lets a payee release a hold. A buyer who does so has not left the trade: his cash stays in
/// escrow, and the seller may deliver from his free units instead.
/// ROUNDINGS. The cash of a part is the floor of its cumulative share less what was paid, so the parts add up to
/// `cashUsd6` exactly. A part too small to cost anything is refused.
/// TOKEN REQUIREMENTS. Each token moves exactly the amount asked for; anything else reverts both legs. The balances of
/// a token held in escrow change only by transfers: no rebasing.
/// LIVENESS. Ending a trade never depends on a token: units that the bond will not release can be released later,
/// cash that the buyer cannot receive waits for him.
/// ROLES. None. Nobody can move anything that was not agreed to.
contract DvPSettlement is IDvPSettlement, NettingCycle {
    /// @inheritdoc IDvPSettlement
    mapping(address cash => mapping(address buyer => uint256)) public parkedUsd6; // [1e6]

    /* LOCK */

    /// @inheritdoc IDvPSettlement
    function hold(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external
        nonReentrant
    {
        bytes32 id = _hold(terms, sellerSignature, buyerSignature);

        _move(id, terms.cash, terms.buyer, address(this), terms.cashUsd6);
    }

    /// @inheritdoc IDvPSettlement
    function holdWithAuthorization(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Authorization calldata authorization
    ) external nonReentrant {
        bytes32 id = _hold(terms, sellerSignature, buyerSignature);

        _draw(id, terms, terms.cashUsd6, authorization);
    }

    /* SETTLE */

    /// @inheritdoc IDvPSettlement
    function settle(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external
        nonReentrant
    {
        _settle(terms, sellerSignature, buyerSignature, ALL_LEFT);
    }

    /// @inheritdoc IDvPSettlement
    function settlePart(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        uint256 units
    ) external nonReentrant {
        _settle(terms, sellerSignature, buyerSignature, units);
    }

    /// @inheritdoc IDvPSettlement
    function settleWithAuthorization(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Authorization calldata authorization
    ) external nonReentrant {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        _requireSettleable(id, terms, entry.status);
        _requireMode(id, terms, Mode.Allowance);
        _requireConsents(id, terms, entry, sellerSignature, buyerSignature);
        (uint256 units, uint256 usd6) = _left(terms, entry.filledUnits);

        _fill(id, terms, entry, units, usd6);

        _move(id, terms.bond, terms.seller, terms.buyer, units);
        _draw(id, terms, usd6, authorization);
        _move(id, terms.cash, address(this), terms.seller, usd6);
    }

    /// @inheritdoc IDvPSettlement
    /// @dev A permit may have been submitted by somebody else first; then the allowance is there and the call fails.
    function settleWithPermit(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Permit calldata permit
    ) external nonReentrant {
        try IERC20Permit(terms.cash).permit(
            terms.buyer, address(this), permit.amountUsd6, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}

        _settle(terms, sellerSignature, buyerSignature, ALL_LEFT);
    }

    /// @inheritdoc IDvPSettlement
    function settleBatch(Signed[] calldata trades) external nonReentrant {
        _requireAtMost(trades.length, MAX_BATCH);

        for (uint256 i = 0; i < trades.length; ++i) {
            _settle(trades[i].terms, trades[i].sellerSignature, trades[i].buyerSignature, ALL_LEFT);
        }
    }

    /// @inheritdoc IDvPSettlement
    function settleEach(Signed[] calldata trades) external nonReentrant returns (bool[] memory settled) {
        _requireAtMost(trades.length, MAX_BATCH);

        settled = new bool[](trades.length);
        for (uint256 i = 0; i < trades.length; ++i) {
            Signed calldata trade = trades[i];
            settled[i] =
                _attempt(instructionId(trade.terms), trade.terms, trade.sellerSignature, trade.buyerSignature);
        }
    }

    /// @inheritdoc IDvPSettlement
    function attempt(Instruction calldata terms) external nonReentrant returns (bool settled) {
        bytes32 id = instructionId(terms);
        Status status = _entries[id].status;
        _requireStatus(status != Status.None, id, status, Status.Matched);
        _requireSettleable(id, terms, status);

        bytes calldata nothing = msg.data[:0]; // both have agreed on chain
        return _attempt(id, terms, nothing, nothing);
    }

    /// @notice The book's call to itself, so that a refusal can be undone alone.
    function settleAsBook(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external
    {
        _requireBook();

        _settle(terms, sellerSignature, buyerSignature, ALL_LEFT);
    }

    /// @notice The book's call to itself, so that a refund that goes wrong can be undone alone.
    function refundAsBook(bytes32 id, address cash, address buyer, uint256 usd6) external {
        _requireBook();

        _move(id, cash, address(this), buyer, usd6);
    }

    /* END */

    /// @inheritdoc IDvPSettlement
    function cancel(Instruction calldata terms) external nonReentrant {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        bool isHeld = entry.status == Status.Held;
        _requireStatus(
            entry.status != Status.Settled && entry.status != Status.Cancelled, id, entry.status, Status.None
        );
        if (entry.status == Status.None) _requireByDeadline(id, terms); // it may have settled and been purged
        bool bySeller = _requireParty(id, terms);
        _requireNew(id, bySeller ? entry.sellerCancels : entry.buyerCancels);

        if (bySeller) entry.sellerCancels = true;
        else entry.buyerCancels = true;
        bool ends = entry.status == Status.None || (entry.sellerCancels && entry.buyerCancels);
        if (ends) entry.status = Status.Cancelled;
        _entries[id] = entry;

        if (ends) emit Cancelled(id, terms.tradeId, msg.sender);
        else emit CancelRequested(id, terms.tradeId, msg.sender);

        if (ends && isHeld) _unlock(id, terms, entry.filledUnits);
    }

    /// @inheritdoc IDvPSettlement
    function close(Instruction calldata terms) external nonReentrant {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        bool isHeld = entry.status == Status.Held;
        _requireStatus(
            isHeld || entry.status == Status.Matched || entry.status == Status.Failed,
            id,
            entry.status,
            Status.Matched
        );
        _requireExpired(id, terms);

        entry.status = Status.Cancelled;
        _entries[id] = entry;

        emit Closed(id, terms.tradeId, msg.sender);

        if (isHeld) _unlock(id, terms, entry.filledUnits);
    }

    /// @inheritdoc IDvPSettlement
    function releaseRefund(address cash, address buyer) external nonReentrant {
        uint256 usd6 = parkedUsd6[cash][buyer];
        require(usd6 > 0, NothingParked(cash, buyer));

        parkedUsd6[cash][buyer] = 0;

        emit RefundPaid(cash, buyer, usd6);

        _move(bytes32(0), cash, address(this), buyer, usd6);
    }

    /// @inheritdoc IDvPSettlement
    function releaseUnits(Instruction calldata terms) external nonReentrant {
        bytes32 id = instructionId(terms);
        Status status = _entries[id].status;
        _requireStatus(status == Status.Cancelled, id, status, Status.Cancelled);

        IHoldable(terms.bond).releaseHold(_holdId(id, terms.seller));
    }

    /// @inheritdoc IDvPSettlement
    function purge(Instruction[] calldata trades) external nonReentrant {
        _requireAtMost(trades.length, MAX_BATCH);

        for (uint256 i = 0; i < trades.length; ++i) {
            _purge(trades[i]);
        }
    }

    /* VIEWS */

    /// @inheritdoc IDvPSettlement
    function holdIdOf(Instruction calldata terms) external view returns (bytes32) {
        return _holdId(instructionId(terms), terms.seller);
    }

    /// @inheritdoc IDvPSettlement
    function escrowedUsd6(Instruction calldata terms) external view returns (uint256 usd6) {
        Entry memory entry = _entries[instructionId(terms)];
        if (entry.status == Status.Held) (, usd6) = _left(terms, entry.filledUnits);
    }

    /* INTERNALS */

    function _requireBook() private view {
        require(msg.sender == address(this), OnlyBook(msg.sender));
    }

    function _requireExpired(bytes32 id, Instruction calldata terms) private view {
        require(block.timestamp > terms.deadline, NotExpired(id, terms.deadline, block.timestamp));
    }

    function _purge(Instruction calldata terms) private {
        bytes32 id = instructionId(terms);
        Status status = _entries[id].status;
        _requireStatus(status == Status.Settled, id, status, Status.Settled);
        _requireExpired(id, terms);

        delete _entries[id];

        emit Purged(id, terms.tradeId);
    }

    function _settle(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        uint256 units
    ) private {
        bytes32 id = instructionId(terms);
        Entry memory entry = _entries[id];
        bool isHeld = entry.status == Status.Held;
        _requireSettleable(id, terms, entry.status);
        _requireConsents(id, terms, entry, sellerSignature, buyerSignature);
        if (units == ALL_LEFT) units = terms.units - entry.filledUnits;
        uint256 usd6 = _requireFill(id, terms, entry.filledUnits, units);

        _fill(id, terms, entry, units, usd6);

        if (isHeld) _deliverHeld(id, terms, units);
        else _move(id, terms.bond, terms.seller, terms.buyer, units);
        _move(id, terms.cash, isHeld ? address(this) : terms.buyer, terms.seller, usd6);
    }

    function _hold(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        private
        returns (bytes32 id)
    {
        id = instructionId(terms);
        Entry memory entry = _entries[id];
        _requireStatus(
            entry.status == Status.None || entry.status == Status.Matched, id, entry.status, Status.Matched
        );
        _requireMode(id, terms, Mode.Hold);
        _requireTerms(id, terms);
        _requireByDeadline(id, terms);
        _requireConsents(id, terms, entry, sellerSignature, buyerSignature);
        bytes32 holdId = _holdId(id, terms.seller);

        _writeMatched(id, terms, entry, Status.Held);

        emit Held(id, terms.tradeId, holdId, terms.units, terms.cashUsd6);

        IHoldable bond = IHoldable(terms.bond);
        bond.holdFrom(id, terms.seller, terms.buyer, address(this), terms.units, terms.deadline);
        IHoldable.Hold memory placed = bond.holdOf(holdId);
        bool asAsked = placed.holder == terms.seller && placed.payee == terms.buyer && placed.notary == address(this)
            && placed.expiresAt >= terms.deadline;
        require(
            asAsked && placed.units == terms.units,
            LegNotHeld(id, terms.bond, asAsked ? placed.units : 0, terms.units)
        );
    }

    /// @dev Only the buyer's side is measured: a lost wallet's hold is delivered from the wallet that replaced it.
    function _deliverHeld(bytes32 id, Instruction calldata terms, uint256 units) private {
        bytes32 holdId = _holdId(id, terms.seller);
        if (IHoldable(terms.bond).holdOf(holdId).units < units) {
            _move(id, terms.bond, terms.seller, terms.buyer, units);
            return;
        }
        uint256 before = IERC20(terms.bond).balanceOf(terms.buyer);
        IHoldable(terms.bond).executeHold(holdId, units);
        uint256 received = IERC20(terms.bond).balanceOf(terms.buyer) - before;
        _requireExact(id, terms.bond, received, units);
    }

    /// @dev The nonce is the instruction's id: the same authorisation cannot pay for anything else, and only this
    ///      contract can submit it.
    function _draw(bytes32 id, Instruction calldata terms, uint256 usd6, Authorization calldata authorization)
        private
    {
        (uint256 buyerBefore, uint256 bookBefore) = _balances(terms.cash, terms.buyer, address(this));
        IERC3009(terms.cash).receiveWithAuthorization(
            terms.buyer,
            address(this),
            usd6,
            authorization.validAfter,
            authorization.validBefore,
            id,
            authorization.v,
            authorization.r,
            authorization.s
        );
        _requireMoved(id, terms.cash, terms.buyer, address(this), usd6, buyerBefore, bookBefore);
    }

    /// @dev Gas is fixed, so that nobody can make a good trade fail by sending too little, and a token that burns gas
    ///      burns no more than its share.
    function _attempt(
        bytes32 id,
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) private returns (bool) {
        uint256 neededGas = ATTEMPT_GAS + ATTEMPT_RESERVE_GAS;
        require(gasleft() >= neededGas, GasTooLow(gasleft(), neededGas));

        try this.settleAsBook{gas: ATTEMPT_GAS}(terms, sellerSignature, buyerSignature) {
            return true;
        } catch (bytes memory reason) {
            bool isDue = block.timestamp >= terms.settleFrom && block.timestamp <= terms.deadline;
            if (isDue && terms.mode == Mode.Allowance && _entries[id].status == Status.Matched) {
                _entries[id].status = Status.Failed;
            }

            emit AttemptFailed(id, terms.tradeId, reason);

            return false;
        }
    }

    /// @dev Gives back what is locked; neither token can stop the other, nor the end of the trade. The cash goes back
    ///      to the last unit, or all of it waits: a fee would be paid out of another trade's escrow.
    function _unlock(bytes32 id, Instruction calldata terms, uint256 filledUnits) private {
        (, uint256 usd6) = _left(terms, filledUnits);
        bool unitsReleased = false;
        try IHoldable(terms.bond).releaseHold(_holdId(id, terms.seller)) {
            unitsReleased = true;
        } catch {}
        try this.refundAsBook(id, terms.cash, terms.buyer, usd6) {}
        catch {
            parkedUsd6[terms.cash][terms.buyer] += usd6;
            emit RefundParked(terms.cash, terms.buyer, usd6);
        }

        emit Unlocked(id, terms.tradeId, unitsReleased, usd6);
    }

    /// @dev As the bond makes it: who placed it, whose units, the placer's reference.
    function _holdId(bytes32 id, address seller) private view returns (bytes32) {
        return keccak256(abi.encode(address(this), seller, id));
    }
}
