// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title SharedPot
/// @notice Test only, flawed: coupons share one pot, and more may be added to a coupon when claims are open.
contract SharedPot {
    using SafeERC20 for IERC20;

    IERC20 public immutable BOND;
    IERC20 public immutable CASH;

    mapping(uint256 couponId => uint256) public fundedUsd6; // [1e6]
    mapping(uint256 couponId => mapping(address holder => bool)) private _claimed;

    constructor(IERC20 bond, IERC20 cash) {
        BOND = bond;
        CASH = cash;
    }

    function fund(uint256 couponId, uint256 amountUsd6) external {
        fundedUsd6[couponId] += amountUsd6;

        CASH.safeTransferFrom(msg.sender, address(this), amountUsd6);
    }

    function withdraw(uint256 amountUsd6) external {
        CASH.safeTransfer(msg.sender, amountUsd6);
    }

    function claim(uint256 couponId) external {
        require(!_claimed[couponId][msg.sender]);

        _claimed[couponId][msg.sender] = true;

        CASH.safeTransfer(msg.sender, fundedUsd6[couponId] * BOND.balanceOf(msg.sender) / BOND.totalSupply());
    }
}
