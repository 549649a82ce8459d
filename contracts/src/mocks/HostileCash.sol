// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

uint256 constant HOSTILE_FEE_USD6 = 1; // [1e6]

/// @title HostileCash
/// @notice Test only: a token that can take on each bad habit that a real token has shown.
/// @dev | mood              | `transfer` and `transferFrom`                             |
///      | `Honest`          | move the amount and return true                           |
///      | `ReturnsFalse`    | move nothing and return false                             |
///      | `MovesNothing`    | move nothing and return true                              |
///      | `FeeOnTransfer`   | burn a fee out of what the receiver gets                  |
///      | `FeeOnTop`        | burn a fee on top of what the sender pays                 |
///      | `Refuses`         | revert with `Refused`                                     |
///      | `RefusesSilently` | revert without data                                       |
///      | `Reenters`        | make the hooked call first, report it, then behave        |
contract HostileCash is ERC20 {
    enum Mood {
        Honest,
        ReturnsFalse,
        MovesNothing,
        FeeOnTransfer,
        FeeOnTop,
        Refuses,
        RefusesSilently,
        Reenters
    }

    error Refused(address from, address to, uint256 amountUsd6);

    /// @notice How the hooked call ended.
    event Reentered(bool ok, bytes result);

    Mood private _mood;
    address private _hookTarget;
    bytes private _hookCall;

    constructor() ERC20("Hostile cash", "hUSD") {}

    function mint(address to, uint256 amountUsd6) external {
        _mint(to, amountUsd6);
    }

    function setMood(Mood mood) external {
        _mood = mood;
    }

    /// @notice Names the call that `Reenters` makes.
    function setHook(address target, bytes calldata data) external {
        _hookTarget = target;
        _hookCall = data;
    }

    function transfer(address to, uint256 amountUsd6) public override returns (bool) {
        return _misbehave(msg.sender, to, amountUsd6);
    }

    function transferFrom(address from, address to, uint256 amountUsd6) public override returns (bool) {
        _spendAllowance(from, msg.sender, amountUsd6);
        return _misbehave(from, to, amountUsd6);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _misbehave(address from, address to, uint256 amountUsd6) private returns (bool) {
        if (_mood == Mood.ReturnsFalse) return false;
        if (_mood == Mood.MovesNothing) return true;
        require(_mood != Mood.Refuses, Refused(from, to, amountUsd6));
        // forge-lint: disable-next-line(custom-errors) -- the missing reason is what is tested
        if (_mood == Mood.RefusesSilently) revert();
        if (_mood == Mood.Reenters) {
            (bool ok, bytes memory result) = _hookTarget.call(_hookCall);
            emit Reentered(ok, result);
        }

        _transfer(from, to, amountUsd6);
        if (_mood == Mood.FeeOnTransfer) _burn(to, HOSTILE_FEE_USD6);
        if (_mood == Mood.FeeOnTop) _burn(from, HOSTILE_FEE_USD6);
        return true;
    }
}
