// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title FeeSwap
/// @notice Test only, flawed: takes a fee out of the cash leg, and scales it by the wrong power of ten.
/// @dev The flaw: the fee is given with its own number of decimals, and divided as if there were always two.
contract FeeSwap {
    uint256 public fee; // [10 ** -feeDecimals]
    uint256 public feeDecimals;
    address public feeTaker;

    function setFee(uint256 fee_, uint256 feeDecimals_, address feeTaker_) external {
        fee = fee_;
        feeDecimals = feeDecimals_;
        feeTaker = feeTaker_;
    }

    function swap(IERC20 bond, IERC20 cash, address seller, address buyer, uint256 units, uint256 cashUsd6) external {
        uint256 feeUsd6 = cashUsd6 * fee * 10 ** (feeDecimals - 2) / 10 ** feeDecimals;
        bond.transferFrom(seller, buyer, units);
        cash.transferFrom(buyer, feeTaker, feeUsd6);
        cash.transferFrom(buyer, seller, cashUsd6 - feeUsd6);
    }
}
