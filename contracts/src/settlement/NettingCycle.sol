// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IDvPSettlement} from "../interfaces/IDvPSettlement.sol";
import {IHoldable} from "../interfaces/IHoldable.sol";
import {SettlementBook} from "./SettlementBook.sol";

uint256 constant MAX_CYCLE = 128; // instructions
uint256 constant MAX_PARTICIPANTS = 32;
uint256 constant MAX_ASSETS = 8;
uint256 constant PLACE_BYTES = 4; // seller, buyer, bond, cash

/// @dev The part of ERC-1404 that is asked.
interface IRestricted {
    function detectTransferRestriction(address from, address to, uint256 amount) external view returns (uint8);
}

/// @dev The parts of other interfaces that are asked where a token answers them.
interface IScreened {
    function isBlocked(address account) external view returns (bool);
    function getFrozenTokens(address account) external view returns (uint256);
}

/// @title NettingCycle
/// @notice Settles many matched trades by moving only the differences between what each participant owes and is owed.
///
/// RULE. All instructions are taken together. Under DropLatest, while somebody owes more of an asset than he has free,
/// his latest outgoing instruction in the list waits (Bech and Soramaki 2001, the rule of EAF2), participants and assets
/// looked at in the order of the lists, again until nothing changes. With one asset the order does not matter; with two
/// it can, so it is part of the rule. What is dropped stays as it was and can settle later.
/// MOVEMENT. In each asset, who owes pays who is owed, in the order of the list: at most one transfer less than there
/// are participants. Not through this contract: it would have to be admitted as a holder, and would hide from the token
/// who delivers to whom.
/// RESTRICTIONS. Netting moves units between parties who did not trade with each other, and may move none. So each
/// original pair must be allowed to trade by itself: by ERC-1404 where the token answers it, else by its block list
/// where it has one. The tokens check the netted movements again as always. A pause of a token without ERC-1404 stops
/// movements, and so does not stop a ring that needs none.
/// CAPS. 128 instructions, 32 participants, 8 assets.
abstract contract NettingCycle is SettlementBook {
    /// @dev How a token is asked about a pair.
    enum Screen {
        None,
        Codes,
        BlockList
    }

    /// @dev A cycle being worked out. Cells are participants times assets.
    struct Netting {
        bytes32[] ids;
        uint256[] places; // four bytes each
        bool[] kept;
        uint256[] units; // [1e0] left of each instruction
        uint256[] usd6; // [1e6] left of each instruction
        int256[] positions; // by cell: what comes in less what goes out
        uint256[] free; // by cell: what may go out, plus one; 0 is not asked yet
        uint256[] cursors; // by cell: no outgoing instruction is kept from here on
        Screen[] screens; // by asset
        uint256[] blocked; // by asset: one bit a participant
        uint256 keptCount;
    }

    /// @inheritdoc IDvPSettlement
    function settleCycle(Cycle calldata cycle, CycleRule rule) external nonReentrant returns (uint256 settledCount) {
        _requireLists(cycle);
        Netting memory netting = _open(cycle);
        _collect(cycle, netting, rule);
        if (rule == CycleRule.DropLatest) _dropLatest(cycle, netting);

        settledCount = netting.keptCount;
        for (uint256 i = 0; i < netting.kept.length; ++i) {
            if (!netting.kept[i]) continue;
            bytes32 id = netting.ids[i];
            Entry memory entry = _entries[id];
            _requireStatus(_isAgreed(entry.status), id, entry.status, Status.Matched); // listed twice
            _fill(id, cycle.instructions[i], entry, netting.units[i], netting.usd6[i]);
        }

        emit CycleSettled(settledCount, netting.kept.length - settledCount);

        for (uint256 asset = 0; asset < cycle.assets.length; ++asset) {
            _moveDifferences(cycle, netting, asset);
        }
    }

    /* READING */

    function _requireLists(Cycle calldata cycle) private pure {
        uint256 count = cycle.instructions.length;
        _requireAtMost(count, MAX_CYCLE);
        _requireAtMost(cycle.participants.length, MAX_PARTICIPANTS);
        _requireAtMost(cycle.assets.length, MAX_ASSETS);
        _requireAscending(cycle.participants);
        _requireAscending(cycle.assets);
        require(cycle.places.length == count * PLACE_BYTES, WrongPlaces(cycle.places.length, count * PLACE_BYTES));
    }

    function _requireAscending(address[] calldata list) private pure {
        for (uint256 i = 1; i < list.length; ++i) {
            require(list[i] > list[i - 1], NotAscending(i, list[i], list[i - 1]));
        }
    }

    function _open(Cycle calldata cycle) private view returns (Netting memory netting) {
        uint256 count = cycle.instructions.length;
        uint256 cells = cycle.participants.length * cycle.assets.length;
        netting.ids = new bytes32[](count);
        netting.places = new uint256[](count);
        netting.kept = new bool[](count);
        netting.units = new uint256[](count);
        netting.usd6 = new uint256[](count);
        netting.positions = new int256[](cells);
        netting.free = new uint256[](cells);
        netting.cursors = new uint256[](cells);
        netting.screens = new Screen[](cycle.assets.length);
        netting.blocked = new uint256[](cycle.assets.length);
        for (uint256 asset = 0; asset < cycle.assets.length; ++asset) {
            _readScreen(cycle, netting, asset);
        }
    }

    function _readScreen(Cycle calldata cycle, Netting memory netting, uint256 asset) private view {
        address token = cycle.assets[asset];
        (bool answers,) = _ask(token, abi.encodeCall(IRestricted.detectTransferRestriction, (token, token, 0)));
        if (answers) {
            netting.screens[asset] = Screen.Codes;
            return;
        }
        for (uint256 i = 0; i < cycle.participants.length; ++i) {
            uint256 isBlocked;
            (answers, isBlocked) = _ask(token, abi.encodeCall(IScreened.isBlocked, (cycle.participants[i])));
            if (!answers) return;
            if (isBlocked != 0) netting.blocked[asset] |= 1 << i;
        }
        netting.screens[asset] = Screen.BlockList;
    }

    /// @dev Checks every instruction and adds up the positions of those that take part.
    function _collect(Cycle calldata cycle, Netting memory netting, CycleRule rule) private {
        for (uint256 i = 0; i < netting.ids.length; ++i) {
            Instruction calldata terms = cycle.instructions[i];
            bytes32 id = instructionId(terms);
            uint256 place = uint32(bytes4(cycle.places[i * PLACE_BYTES:(i + 1) * PLACE_BYTES]));
            netting.ids[i] = id;
            netting.places[i] = place;
            _requirePlaces(cycle, terms, place, id);
            _requireMode(id, terms, Mode.Allowance);
            Entry memory entry = _entries[id];
            if (rule == CycleRule.AllOrNone) {
                _requireStatus(_isAgreed(entry.status), id, entry.status, Status.Matched);
                _requireSettleable(id, terms, entry.status);
            } else if (!_isAgreed(entry.status)) {
                emit Dropped(id, terms.tradeId, DropReason.NotOpen);
                continue;
            } else if (block.timestamp < terms.settleFrom || block.timestamp > terms.deadline) {
                emit Dropped(id, terms.tradeId, DropReason.NotDue);
                continue;
            }
            (address token, uint256 code) = _restriction(terms, netting, place);
            if (code != 0) {
                require(rule == CycleRule.DropLatest, PairRestricted(id, token, code));
                emit Dropped(id, terms.tradeId, DropReason.Restricted);
                continue;
            }

            (uint256 units, uint256 usd6) = _left(terms, entry.filledUnits);
            netting.units[i] = units;
            netting.usd6[i] = usd6;
            netting.kept[i] = true;
            ++netting.keptCount;
            // forge-lint: disable-next-line(unsafe-typecast) -- amounts have 128 bits
            _addToPositions(netting, place, int256(units), int256(usd6));
        }
    }

    function _isAgreed(Status status) private pure returns (bool) {
        return status == Status.Matched || status == Status.Failed;
    }

    function _requirePlaces(Cycle calldata cycle, Instruction calldata terms, uint256 place, bytes32 id)
        private
        pure
    {
        (uint256 seller, uint256 buyer, uint256 bond, uint256 cash) = _unpack(place);
        _requireAt(cycle.participants, seller, terms.seller, id);
        _requireAt(cycle.participants, buyer, terms.buyer, id);
        _requireAt(cycle.assets, bond, terms.bond, id);
        _requireAt(cycle.assets, cash, terms.cash, id);
    }

    function _requireAt(address[] calldata list, uint256 place, address expected, bytes32 id) private pure {
        require(place < list.length && list[place] == expected, WrongPlace(id, place, expected));
    }

    function _unpack(uint256 place)
        private
        pure
        returns (uint256 seller, uint256 buyer, uint256 bond, uint256 cash)
    {
        return (place >> 24, (place >> 16) & 0xff, (place >> 8) & 0xff, place & 0xff);
    }

    /// @dev Whether the two could have traded alone. An ERC-1404 token that does not answer refuses.
    function _restriction(Instruction calldata terms, Netting memory netting, uint256 place)
        private
        view
        returns (address token, uint256 code)
    {
        (uint256 seller, uint256 buyer, uint256 bond, uint256 cash) = _unpack(place);
        code = _restrictionIn(netting, bond, terms.bond, seller, terms.seller, buyer, terms.buyer);
        if (code != 0) return (terms.bond, code);
        code = _restrictionIn(netting, cash, terms.cash, buyer, terms.buyer, seller, terms.seller);
        return (terms.cash, code);
    }

    function _restrictionIn(
        Netting memory netting,
        uint256 asset,
        address token,
        uint256 fromPlace,
        address from,
        uint256 toPlace,
        address to
    ) private view returns (uint256 code) {
        if (netting.screens[asset] == Screen.BlockList) {
            return (netting.blocked[asset] >> fromPlace | netting.blocked[asset] >> toPlace) & 1;
        }
        if (netting.screens[asset] == Screen.None) return 0;
        bool answers;
        (answers, code) = _ask(token, abi.encodeCall(IRestricted.detectTransferRestriction, (from, to, 0)));
        if (!answers) return type(uint256).max;
    }

    /* DROPPING */

    /// @dev Every round but the last drops at least one, so there are at most one more rounds than instructions.
    function _dropLatest(Cycle calldata cycle, Netting memory netting) private {
        uint256 keptBefore = type(uint256).max;
        while (netting.keptCount < keptBefore) {
            keptBefore = netting.keptCount;
            for (uint256 participant = 0; participant < cycle.participants.length; ++participant) {
                for (uint256 asset = 0; asset < cycle.assets.length; ++asset) {
                    _dropUntilCovered(cycle, netting, participant, asset);
                }
            }
        }
    }

    /// @dev Who owes something has an outgoing instruction, so the search always ends with one.
    function _dropUntilCovered(Cycle calldata cycle, Netting memory netting, uint256 participant, uint256 asset)
        private
    {
        uint256 cell = participant * cycle.assets.length + asset;
        while (netting.positions[cell] < 0) {
            if (netting.free[cell] == 0) {
                netting.free[cell] = _freeOf(cycle.assets[asset], cycle.participants[participant]);
                netting.cursors[cell] = cycle.instructions.length;
            }
            if (uint256(-netting.positions[cell]) < netting.free[cell]) return;

            uint256 index = netting.cursors[cell] - 1;
            netting.cursors[cell] = index;
            if (!netting.kept[index]) continue;
            uint256 place = netting.places[index];
            (uint256 seller, uint256 buyer, uint256 bond, uint256 cash) = _unpack(place);
            bool goesOut = (seller == participant && bond == asset) || (buyer == participant && cash == asset);
            if (!goesOut) continue;
            netting.kept[index] = false;
            --netting.keptCount;
            // forge-lint: disable-next-line(unsafe-typecast) -- amounts have 128 bits
            _addToPositions(netting, place, -int256(netting.units[index]), -int256(netting.usd6[index]));
            emit Dropped(netting.ids[index], cycle.instructions[index].tradeId, DropReason.Short);
        }
    }

    /// @dev What may leave the account through this contract, plus one: the smaller of the allowance and the balance
    ///      less what is on hold or frozen. Saturates.
    function _freeOf(address token, address who) private view returns (uint256) {
        uint256 amount = IERC20(token).balanceOf(who);
        amount = _less(amount, token, abi.encodeCall(IHoldable.balanceOnHold, (who)));
        amount = _less(amount, token, abi.encodeCall(IScreened.getFrozenTokens, (who)));
        uint256 allowed = IERC20(token).allowance(who, address(this));
        if (allowed < amount) amount = allowed;
        return amount == type(uint256).max ? amount : amount + 1;
    }

    function _less(uint256 amount, address token, bytes memory question) private view returns (uint256) {
        (bool answers, uint256 bound) = _ask(token, question);
        if (!answers) return amount;
        return amount > bound ? amount - bound : 0;
    }

    /* MOVING */

    /// @dev Adds an instruction to the four cells it touches, or takes it away when the amounts are negative.
    function _addToPositions(Netting memory netting, uint256 place, int256 units, int256 usd6) private pure {
        (uint256 seller, uint256 buyer, uint256 bond, uint256 cash) = _unpack(place);
        uint256 width = netting.screens.length;
        int256[] memory positions = netting.positions;
        positions[seller * width + bond] -= units;
        positions[buyer * width + bond] += units;
        positions[buyer * width + cash] -= usd6;
        positions[seller * width + cash] += usd6;
    }

    /// @dev Positions of an asset add up to zero: when the last payer has paid, the last receiver has all.
    function _moveDifferences(Cycle calldata cycle, Netting memory netting, uint256 asset) private {
        uint256 width = cycle.assets.length;
        int256[] memory positions = netting.positions;
        uint256 receiver = 0;
        for (uint256 payer = 0; payer < cycle.participants.length; ++payer) {
            uint256 from = payer * width + asset;
            while (positions[from] < 0) {
                uint256 to = receiver * width + asset;
                if (positions[to] <= 0) {
                    ++receiver;
                    continue;
                }
                int256 amount = -positions[from] < positions[to] ? -positions[from] : positions[to];
                positions[from] += amount;
                positions[to] -= amount;
                _move(
                    bytes32(0),
                    cycle.assets[asset],
                    cycle.participants[payer],
                    cycle.participants[receiver],
                    // forge-lint: disable-next-line(unsafe-typecast) -- above zero
                    uint256(amount)
                );
            }
        }
    }

    /// @dev A question to a token that may not know it. One word is an answer; a revert or anything else is none.
    function _ask(address token, bytes memory question) private view returns (bool answers, uint256 word) {
        (bool ok, bytes memory data) = token.staticcall(question);
        if (!ok || data.length != 32) return (false, 0);
        return (true, abi.decode(data, (uint256)));
    }
}
