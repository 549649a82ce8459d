// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDvPSettlement
/// @notice Settlement book: two parties agree on the same terms, and both legs move or neither.
/// @dev | name         | scale       | example                                            |
///      | `units`      | 1e0         | 250 = 250 bonds                                    |
///      | `cashUsd6`   | 1e6         | 1_000_000 = one dollar, for all units              |
///      | times        | UTC seconds | deadline is the last good second                   |
///      | `id`         | 32 bytes    | EIP-712 digest of the terms under this contract    |
///
///      | state     | may become                                  | by                                     |
///      | None      | Matched, Held, Settled; Cancelled           | both parties' consent; either party    |
///      | Matched   | Held, Settled, Failed; Cancelled            | anyone; both parties, or the deadline  |
///      | Held      | Settled; Cancelled                          | anyone; both parties, or the deadline  |
///      | Failed    | Settled; Cancelled                          | anyone; both parties, or the deadline  |
///      | Settled   | None: entry purged, for good                | anyone after the deadline              |
///      | Cancelled | -                                           | final; what was filled stays delivered |
interface IDvPSettlement {
    enum Status {
        None,
        Matched,
        Held,
        Settled,
        Failed,
        Cancelled
    }

    /// @notice How the legs are secured. Allowance: they move when it settles, if they can. Hold: they are locked first.
    enum Mode {
        Allowance,
        Hold
    }

    /// @notice What a netting cycle does when somebody is short. AllOrNone: nothing settles. DropLatest: his latest
    ///         deliveries wait.
    enum CycleRule {
        AllOrNone,
        DropLatest
    }

    /// @notice Why a netting cycle left an instruction where it was.
    enum DropReason {
        NotOpen,
        NotDue,
        Restricted,
        Short
    }

    /// @notice Every economic term of one trade.
    /// @param tradeId The parties' own reference; two trades on the same terms differ by it.
    /// @param bond Security delivered by the seller.
    /// @param cash Token paid by the buyer.
    /// @param cashUsd6 Price of all units together (1e6).
    /// @param minFillUnits Smallest partial delivery; `units` means all or none.
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
        uint128 minFillUnits;
        uint64 tradeTime;
        uint64 settleFrom;
        uint64 deadline;
        Mode mode;
    }

    /// @notice Terms with the consents that are not on chain yet; a party that affirmed needs no signature.
    struct Signed {
        Instruction terms;
        bytes sellerSignature;
        bytes buyerSignature;
    }

    /// @notice The buyer's ERC-3009 authorisation to this contract over what is left to pay, its nonce the
    ///         instruction's id. Valid between two seconds, both excluded.
    struct Authorization {
        uint256 validAfter;
        uint256 validBefore;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice The buyer's ERC-2612 permit to this contract.
    struct Permit {
        uint256 amountUsd6;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice Matched instructions to be netted. Both lists ascend, so nobody is named twice.
    /// @param places Four bytes an instruction: place of seller, of buyer, of bond, of cash in the lists.
    struct Cycle {
        address[] participants;
        address[] assets;
        Instruction[] instructions;
        bytes places;
    }

    /// @notice What the book knows of an instruction.
    /// @param filledUnits Delivered and paid so far (1e0).
    struct Entry {
        Status status;
        bool sellerConsents;
        bool buyerConsents;
        bool sellerCancels;
        bool buyerCancels;
        uint128 filledUnits;
    }

    /// @notice `expected` is one state from which the step can be taken.
    error WrongStatus(bytes32 id, Status actual, Status expected);
    error WrongMode(bytes32 id, Mode actual, Mode expected);
    error SameParty(bytes32 id, address party);
    error EmptyLeg(bytes32 id, uint256 units, uint256 cashUsd6);
    /// @notice The smallest partial delivery must lie between one unit and all.
    error InvalidMinFill(bytes32 id, uint256 minFillUnits, uint256 units);
    error TooEarly(bytes32 id, uint64 settleFrom, uint256 nowSeconds);
    error Expired(bytes32 id, uint64 deadline, uint256 nowSeconds);
    error NotExpired(bytes32 id, uint64 deadline, uint256 nowSeconds);
    /// @notice The party neither affirmed nor signed these terms.
    error NotSigned(bytes32 id, address party);
    error NotParty(bytes32 id, address caller);
    /// @notice The party has said so before.
    error AlreadyDone(bytes32 id, address party);
    /// @notice Below the smallest fill without completing the trade, or more than is left.
    error WrongFill(bytes32 id, uint256 units, uint256 minFillUnits, uint256 leftUnits);
    /// @notice A token moved another amount than agreed.
    error LegNotDelivered(bytes32 id, address token, uint256 actual, uint256 expected);
    /// @notice The bond did not hold what it was asked to.
    error LegNotHeld(bytes32 id, address bond, uint256 actualUnits, uint256 expectedUnits);
    error TooMany(uint256 count, uint256 max);
    /// @notice So little gas that a refusal would prove nothing.
    error GasTooLow(uint256 actual, uint256 expected);
    error OnlyBook(address caller);
    error NothingParked(address cash, address buyer);
    error NotAscending(uint256 place, address actual, address previous);
    error WrongPlaces(uint256 actualBytes, uint256 expectedBytes);
    /// @notice An instruction's seller, buyer, bond or cash is not at the place given.
    error WrongPlace(bytes32 id, uint256 place, address expected);
    /// @notice The token would not let this trade pass by itself, so netting does not either.
    error PairRestricted(bytes32 id, address token, uint256 code);

    event Affirmed(bytes32 indexed id, bytes32 indexed tradeId, address indexed party, Instruction terms);
    event Matched(bytes32 indexed id, bytes32 indexed tradeId, Instruction terms);
    /// @notice Units are on hold at the bond, the cash is in escrow here.
    event Held(bytes32 indexed id, bytes32 indexed tradeId, bytes32 holdId, uint256 units, uint256 cashUsd6);
    /// @notice A part was delivered and paid; `filledUnits` so far.
    event PartlySettled(
        bytes32 indexed id, bytes32 indexed tradeId, uint256 units, uint256 cashUsd6, uint256 filledUnits
    );
    /// @notice The last part, or the whole, was delivered and paid.
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
    /// @notice The attempt was refused; the instruction can be tried again until its deadline.
    event AttemptFailed(bytes32 indexed id, bytes32 indexed tradeId, bytes reason);
    event CancelRequested(bytes32 indexed id, bytes32 indexed tradeId, address indexed party);
    event Cancelled(bytes32 indexed id, bytes32 indexed tradeId, address indexed party);
    /// @notice Ended by its deadline.
    event Closed(bytes32 indexed id, bytes32 indexed tradeId, address indexed by);
    /// @notice What was locked is free. `unitsReleased` is false if the bond refused; anyone may then release there.
    event Unlocked(bytes32 indexed id, bytes32 indexed tradeId, bool unitsReleased, uint256 cashUsd6);
    /// @notice Escrowed cash that the buyer cannot receive now.
    event RefundParked(address indexed cash, address indexed buyer, uint256 amountUsd6);
    event RefundPaid(address indexed cash, address indexed buyer, uint256 amountUsd6);
    event Dropped(bytes32 indexed id, bytes32 indexed tradeId, DropReason reason);
    event CycleSettled(uint256 settledCount, uint256 droppedCount);
    /// @notice The book no longer keeps the trade's entry; that it settled is in its events.
    event Purged(bytes32 indexed id, bytes32 indexed tradeId);

    /* AGREE */

    /// @notice Says yes to the terms. The second party's yes matches the trade.
    /// @dev Errors in order: WrongStatus, SameParty, EmptyLeg, InvalidMinFill, Expired, NotParty, AlreadyDone.
    function affirm(Instruction calldata terms) external;

    /// @notice Records that both parties agreed. Callable by anyone who has their signatures.
    /// @dev Errors in order: WrongStatus, SameParty, EmptyLeg, InvalidMinFill, Expired, NotSigned (seller, then buyer).
    function matchSigned(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external;

    /// @notice Matches all or none.
    function matchBatch(Signed[] calldata trades) external;

    /* LOCK */

    /// @notice Locks both legs of a trade in mode Hold: the units at the bond, the cash here. Both or neither.
    /// @dev Errors in order: WrongStatus, WrongMode, SameParty, EmptyLeg, InvalidMinFill, Expired, NotSigned,
    ///      the tokens' own errors (bond, then cash), LegNotHeld, LegNotDelivered.
    function hold(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature) external;

    /// @notice The same, the cash drawn by the buyer's authorisation instead of an allowance.
    function holdWithAuthorization(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Authorization calldata authorization
    ) external;

    /* SETTLE */

    /// @notice Delivers all that is left, both legs or neither. Callable by anyone: both parties have agreed.
    /// @dev Errors in order of precedence: WrongStatus, SameParty, EmptyLeg, InvalidMinFill, TooEarly, Expired,
    ///      NotSigned (seller, then buyer), WrongFill, EmptyLeg of the fill, the tokens' own errors (bond, then cash),
    ///      LegNotDelivered.
    function settle(Instruction calldata terms, bytes calldata sellerSignature, bytes calldata buyerSignature)
        external;

    /// @notice Delivers a part, and its share of the cash.
    function settlePart(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        uint256 units
    ) external;

    /// @notice Settles what is left; the cash is drawn by the buyer's authorisation. Mode Allowance only.
    /// @dev WrongMode comes after WrongStatus.
    function settleWithAuthorization(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Authorization calldata authorization
    ) external;

    /// @notice Settles what is left after trying the buyer's permit; a permit that was used before does no harm.
    function settleWithPermit(
        Instruction calldata terms,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature,
        Permit calldata permit
    ) external;

    /// @notice Settles all or none, in the order given.
    function settleBatch(Signed[] calldata trades) external;

    /// @notice Settles each that can; one that is refused leaves an event with the reason.
    /// @return settled One answer for each trade.
    function settleEach(Signed[] calldata trades) external returns (bool[] memory settled);

    /// @notice Tries to settle a matched trade; a refusal by the tokens is recorded instead of undone.
    /// @dev Errors in order: WrongStatus, TooEarly, Expired, GasTooLow.
    function attempt(Instruction calldata terms) external returns (bool settled);

    /// @notice Nets what is left of matched trades in mode Allowance and moves only the differences.
    /// @dev Errors in order: TooMany, NotAscending, WrongPlaces; for each trade WrongPlace, WrongMode, and under
    ///      AllOrNone WrongStatus, TooEarly, Expired, PairRestricted; the tokens' own errors, LegNotDelivered.
    /// @return settledCount Trades settled.
    function settleCycle(Cycle calldata cycle, CycleRule rule) external returns (uint256 settledCount);

    /* END */

    /// @notice Ends a trade. Either party before it is matched and until its deadline; afterwards both must say so.
    /// @dev Errors in order: WrongStatus, Expired (before it is matched), NotParty, AlreadyDone.
    function cancel(Instruction calldata terms) external;

    /// @notice Ends a trade whose deadline has passed and gives back what is locked. Callable by anyone.
    /// @dev Errors in order: WrongStatus, NotExpired.
    function close(Instruction calldata terms) external;

    /// @notice Pays a buyer the escrowed cash that could not be given back before. Callable by anyone.
    function releaseRefund(address cash, address buyer) external;

    /// @notice Frees the units of a cancelled trade at the bond, if the bond refused when it was cancelled.
    function releaseUnits(Instruction calldata terms) external;

    /// @notice Frees the storage of settled trades whose deadline has passed, all or none. Callable by anyone: after the
    ///         deadline no signature can bring such a trade back, so nothing is lost but the entry.
    /// @dev Errors in order: TooMany; for each trade WrongStatus, NotExpired.
    function purge(Instruction[] calldata trades) external;

    /* VIEWS */

    /// @notice EIP-712 digest of the terms: what both parties sign, and the instruction's id.
    function instructionId(Instruction calldata terms) external view returns (bytes32);

    function statusOf(bytes32 id) external view returns (Status);

    function entryOf(bytes32 id) external view returns (Entry memory);

    /// @notice Id of the hold at the bond that secures this trade.
    function holdIdOf(Instruction calldata terms) external view returns (bytes32);

    /// @notice Cash in escrow for this trade (1e6).
    function escrowedUsd6(Instruction calldata terms) external view returns (uint256);

    /// @notice Cash of a buyer that waits here (1e6).
    function parkedUsd6(address cash, address buyer) external view returns (uint256);
}
