// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecordDates} from "../../interfaces/IRecordDates.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title LiveSupply
/// @notice Test only, flawed: holders as of the record date over the supply of today.
contract LiveSupply {
    using SafeERC20 for IERC20;

    address public immutable BOND;
    IERC20 public immutable CASH;
    uint256 public immutable RECORD_ID;
    uint256 public immutable TOTAL_USD6; // [1e6]

    constructor(address bond, IERC20 cash, uint256 recordId, uint256 totalUsd6) {
        BOND = bond;
        CASH = cash;
        RECORD_ID = recordId;
        TOTAL_USD6 = totalUsd6;
    }

    function claim() external {
        uint256 units = IRecordDates(BOND).unitsAt(RECORD_ID, msg.sender);
        CASH.safeTransfer(msg.sender, TOTAL_USD6 * units / IERC20(BOND).totalSupply());
    }
}
