// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRecordDates} from "../../interfaces/IRecordDates.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title PagesOfTheRest
/// @notice Test only, flawed: each page shares out the balance that the pages before it have left.
contract PagesOfTheRest {
    using SafeERC20 for IERC20;

    IRecordDates public immutable BOND;
    IERC20 public immutable CASH;
    uint256 public immutable RECORD_ID;

    constructor(IRecordDates bond, IERC20 cash, uint256 recordId) {
        BOND = bond;
        CASH = cash;
        RECORD_ID = recordId;
    }

    function claimMany(address[] calldata holders) external {
        uint256 potUsd6 = CASH.balanceOf(address(this));
        for (uint256 i = 0; i < holders.length; ++i) {
            uint256 units = BOND.unitsAt(RECORD_ID, holders[i]);
            CASH.safeTransfer(holders[i], potUsd6 * units / BOND.supplyAt(RECORD_ID));
        }
    }
}
