// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title ArmedSwap
/// @notice Test only, flawed: "armed" means that both allowances were seen once; nothing is locked.
/// @dev The flaw: each swap looks at the whole allowance, so one allowance arms any number of swaps, and whoever
///      changes his mind takes it away for nothing.
contract ArmedSwap {
    error NotCovered(address token, address owner, uint256 actual, uint256 needed);
    error NotArmed(bytes32 id);

    struct Swap {
        IERC20 bond;
        IERC20 cash;
        address seller;
        address buyer;
        uint256 units;
        uint256 cashUsd6;
    }

    mapping(bytes32 id => bool) public armed;

    function idOf(Swap calldata swap, bytes32 reference_) public pure returns (bytes32) {
        return keccak256(abi.encode(swap, reference_));
    }

    function arm(Swap calldata swap, bytes32 reference_) external {
        _requireCovered(swap.bond, swap.seller, swap.units);
        _requireCovered(swap.cash, swap.buyer, swap.cashUsd6);

        armed[idOf(swap, reference_)] = true;
    }

    function execute(Swap calldata swap, bytes32 reference_) external {
        bytes32 id = idOf(swap, reference_);
        require(armed[id], NotArmed(id));

        armed[id] = false;
        swap.bond.transferFrom(swap.seller, swap.buyer, swap.units);
        swap.cash.transferFrom(swap.buyer, swap.seller, swap.cashUsd6);
    }

    function _requireCovered(IERC20 token, address owner, uint256 needed) private view {
        uint256 allowed = token.allowance(owner, address(this));
        require(allowed >= needed, NotCovered(address(token), owner, allowed, needed));
    }
}
