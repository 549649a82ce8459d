// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title InclusiveClaim
/// @notice Test only, flawed: pays at the record second itself, when a balance can still change.
contract InclusiveClaim {
    using SafeERC20 for IERC20;

    IERC20 public immutable BOND;
    IERC20 public immutable CASH;
    uint256 public immutable RECORD_TIME; // [UTC seconds]
    uint256 public immutable AMOUNT; // [1e6 a unit]

    mapping(address holder => bool) private _claimed;

    constructor(IERC20 bond, IERC20 cash, uint256 recordTime, uint256 amount) {
        BOND = bond;
        CASH = cash;
        RECORD_TIME = recordTime;
        AMOUNT = amount;
    }

    function claim() external {
        require(block.timestamp >= RECORD_TIME && !_claimed[msg.sender]);

        _claimed[msg.sender] = true;

        CASH.safeTransfer(msg.sender, BOND.balanceOf(msg.sender) * AMOUNT);
    }
}
