// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {IHoldable} from "../interfaces/IHoldable.sol";

/// @title OddBond
/// @notice Test only: a register with holds, restrictions of single pairs, and bad habits of its own.
/// @dev | habit          | effect                                              |
///      | `HoldsLess`    | a hold is one unit smaller than asked               |
///      | `HoldsWrong`   | a hold names somebody else as payee                 |
///      | `KeepsHolds`   | refuses to release                                  |
///      | `DeliversLess` | delivers one unit less when a hold is executed      |
contract OddBond is IHoldable, ERC20 {
    enum Habit {
        None,
        HoldsLess,
        HoldsWrong,
        KeepsHolds,
        DeliversLess
    }

    error Restricted(address from, address to, uint8 code);
    error Stubborn();

    Habit public habit;
    mapping(bytes32 holdId => Hold) private _holds;
    mapping(address holder => uint256) private _heldUnits;
    mapping(address from => mapping(address to => uint8)) private _codes;

    constructor() ERC20("Odd bond", "OB") {}

    function mint(address to, uint256 units) external {
        _mint(to, units);
    }

    function setHabit(Habit habit_) external {
        habit = habit_;
    }

    /// @notice Forbids what goes from one account to another.
    function setRestriction(address from, address to, uint8 code) external {
        _codes[from][to] = code;
    }

    function detectTransferRestriction(address from, address to, uint256) external view returns (uint8 code) {
        return _codes[from][to];
    }

    function hold(bytes32, address, address, uint256, uint64) external pure returns (bytes32) {
        revert EmptyHold();
    }

    function holdFrom(bytes32 ref, address from, address to, address notary, uint256 units, uint64 expiresAt)
        external
        returns (bytes32 holdId)
    {
        holdId = keccak256(abi.encode(msg.sender, from, ref));
        require(_holds[holdId].units == 0, HoldExists(holdId));
        _spendAllowance(from, msg.sender, units);
        uint256 net = netBalanceOf(from);
        require(net >= units, ERC20InsufficientBalance(from, net, units));
        if (habit == Habit.HoldsLess) --units;
        if (habit == Habit.HoldsWrong) to = from;

        _holds[holdId] = Hold(from, expiresAt, to, notary, uint128(units));
        _heldUnits[from] += units;

        emit HoldPlaced(holdId, from, to, notary, units, expiresAt);
    }

    function executeHold(bytes32 holdId, uint256 units) external {
        Hold memory held = _holds[holdId];
        require(held.units > 0, NoHold(holdId));
        require(msg.sender == held.notary, NotNotary(holdId, msg.sender, held.notary));
        require(block.timestamp <= held.expiresAt, HoldExpiryPassed(holdId, held.expiresAt, block.timestamp));
        _holds[holdId].units -= uint128(units);
        _heldUnits[held.holder] -= units;
        if (habit == Habit.DeliversLess) --units;

        emit HoldExecuted(holdId, units, held.units - units);

        _transfer(held.holder, held.payee, units);
    }

    function releaseHold(bytes32 holdId) external {
        Hold memory held = _holds[holdId];
        require(habit != Habit.KeepsHolds, Stubborn());
        require(held.units > 0, NoHold(holdId));
        bool early = block.timestamp <= held.expiresAt;
        require(
            !early || msg.sender == held.notary || msg.sender == held.payee,
            NotReleaser(holdId, msg.sender, held.expiresAt)
        );
        delete _holds[holdId];
        _heldUnits[held.holder] -= held.units;

        emit HoldReleased(holdId, msg.sender, held.units);
    }

    function renewHold(bytes32, uint64) external pure {
        revert EmptyHold();
    }

    function holdOf(bytes32 holdId) external view returns (Hold memory) {
        return _holds[holdId];
    }

    function balanceOnHold(address holder) external view returns (uint256) {
        return _heldUnits[holder];
    }

    function netBalanceOf(address holder) public view returns (uint256) {
        return balanceOf(holder) - _heldUnits[holder];
    }

    function decimals() public pure override returns (uint8) {
        return 0;
    }

    function _update(address from, address to, uint256 units) internal override {
        if (from != address(0)) {
            require(_codes[from][to] == 0, Restricted(from, to, _codes[from][to]));
            uint256 net = balanceOf(from) - _heldUnits[from];
            require(net >= units, ERC20InsufficientBalance(from, net, units));
        }
        super._update(from, to, units);
    }
}
