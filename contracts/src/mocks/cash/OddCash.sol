// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

uint256 constant ODD_BPS = 10_000;
uint256 constant ODD_FEE_BPS = 50; // half a per cent
uint256 constant ODD_GROWTH_BPS = 10_100; // what a rebasing token grows to

/// @title OddCash
/// @notice Test only: a token with one habit that some real token has, and any number of decimals.
/// @dev | habit            | `transfer` and `transferFrom`                                              |
///      | `Plain`          | move the amount and return true                                            |
///      | `FeeInside`      | the receiver gets the amount less a fee                                    |
///      | `FeeOnTop`       | the sender pays the amount and a fee                                       |
///      | `FalseOnFailure` | return false instead of reverting when there is too little                 |
///      | `FalseOnSuccess` | move the amount and return false                                           |
///      | `NoZero`         | revert on an amount of zero                                                |
///      | `Hook`           | make the hooked call first and carry on, whatever became of it             |
///      | `BlockList`      | revert for an account on the list                                          |
///      | `Pausable`       | revert while paused                                                        |
///      | `GrowsOnMove`    | every balance grows by one per cent with each movement                     |
///      | `ApproveRace`    | `approve` from one amount to another must pass by zero                     |
///      | `Upside`         | move whatever the sender has when the largest uint256 is asked for         |
///      Balances are shares of an index, so that `rebase` changes all of them at once.
contract OddCash {
    enum Habit {
        Plain,
        FeeInside,
        FeeOnTop,
        FalseOnFailure,
        FalseOnSuccess,
        NoZero,
        Hook,
        BlockList,
        Pausable,
        GrowsOnMove,
        ApproveRace,
        Upside
    }

    error Short(address holder, uint256 actual, uint256 needed);
    error ShortAllowance(address owner, address spender, uint256 actual, uint256 needed);
    error ZeroAmount();
    error Blocked(address account);
    error Paused();
    error ApproveByZero(address owner, address spender, uint256 actual);

    event Transfer(address indexed from, address indexed to, uint256 amount);
    event Approval(address indexed owner, address indexed spender, uint256 amount);
    /// @notice How the hooked call ended.
    event Hooked(bool ok, bytes result);

    uint8 public immutable decimals;
    Habit public habit;
    bool public paused;
    mapping(address account => bool) public isBlocked;
    mapping(address owner => mapping(address spender => uint256)) public allowance;
    uint256 public indexBps = ODD_BPS; // [1e4] amount of one share
    mapping(address holder => uint256) private _shares;
    uint256 private _totalShares;
    address private _hookTarget;
    bytes private _hookCall;

    constructor(uint8 decimals_, Habit habit_) {
        decimals = decimals_;
        habit = habit_;
    }

    function mint(address to, uint256 amount) external {
        uint256 shares = (amount * ODD_BPS) / indexBps;
        _shares[to] += shares;
        _totalShares += shares;

        emit Transfer(address(0), to, amount);
    }

    function setHabit(Habit habit_) external {
        habit = habit_;
    }

    function setPaused(bool paused_) external {
        paused = paused_;
    }

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    /// @notice Names the call that `Hook` makes.
    function setHook(address target, bytes calldata data) external {
        _hookTarget = target;
        _hookCall = data;
    }

    /// @notice Changes every balance at once. @param indexBps_ New amount of one share (1e4).
    function rebase(uint256 indexBps_) external {
        indexBps = indexBps_;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        uint256 actual = allowance[msg.sender][spender];
        if (habit == Habit.ApproveRace && actual != 0 && amount != 0) {
            revert ApproveByZero(msg.sender, spender, actual);
        }
        allowance[msg.sender][spender] = amount;

        emit Approval(msg.sender, spender, amount);
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (amount > allowed) {
            if (habit == Habit.FalseOnFailure) return false;
            revert ShortAllowance(from, msg.sender, allowed, amount);
        }
        if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - amount;
        return _move(from, to, amount);
    }

    function balanceOf(address holder) public view returns (uint256) {
        return (_shares[holder] * indexBps) / ODD_BPS;
    }

    function totalSupply() external view returns (uint256) {
        return (_totalShares * indexBps) / ODD_BPS;
    }

    function _move(address from, address to, uint256 asked) private returns (bool) {
        Habit h = habit;
        if (h == Habit.NoZero && asked == 0) revert ZeroAmount();
        if (h == Habit.BlockList && isBlocked[from]) revert Blocked(from);
        if (h == Habit.BlockList && isBlocked[to]) revert Blocked(to);
        if (h == Habit.Pausable && paused) revert Paused();
        if (h == Habit.Hook) {
            (bool ok, bytes memory result) = _hookTarget.call(_hookCall);
            emit Hooked(ok, result);
        }
        uint256 amount = h == Habit.Upside && asked == type(uint256).max ? balanceOf(from) : asked;
        uint256 fee = h == Habit.FeeInside || h == Habit.FeeOnTop ? (amount * ODD_FEE_BPS) / ODD_BPS : 0;
        uint256 paid = h == Habit.FeeOnTop ? amount + fee : amount;
        uint256 received = h == Habit.FeeInside ? amount - fee : amount;
        if (balanceOf(from) < paid) {
            if (h == Habit.FalseOnFailure) return false;
            revert Short(from, balanceOf(from), paid);
        }

        _shares[from] -= (paid * ODD_BPS) / indexBps;
        _shares[to] += (received * ODD_BPS) / indexBps;
        _totalShares -= ((paid - received) * ODD_BPS) / indexBps;
        if (h == Habit.GrowsOnMove) indexBps = (indexBps * ODD_GROWTH_BPS) / ODD_BPS;

        emit Transfer(from, to, received);
        return h != Habit.FalseOnSuccess;
    }
}
