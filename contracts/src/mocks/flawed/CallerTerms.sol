// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title CallerTerms
/// @notice Test only, flawed: whoever is a party names the terms, the other's allowance counts as consent.
contract CallerTerms {
    error NotParty(address caller);

    function settle(IERC20 bond, IERC20 cash, address seller, address buyer, uint256 units, uint256 cashUsd6)
        external
    {
        require(msg.sender == seller || msg.sender == buyer, NotParty(msg.sender));

        bond.transferFrom(seller, buyer, units);
        cash.transferFrom(buyer, seller, cashUsd6);
    }
}
