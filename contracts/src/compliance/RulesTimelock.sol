// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title RulesTimelock
/// @notice The only holder of a bond's RULES_ROLE: a change of rules is announced, waits, and is then carried out.
/// @dev OpenZeppelin's TimelockController, given a name of its own so that it is built with the suite.
contract RulesTimelock is TimelockController {
    /// @param minDelay Seconds between announcement and effect.
    /// @param proposers May announce and withdraw. @param executors May carry out; address(0) = anyone.
    /// @param admin May change the members; address(0) = only through the delay itself.
    constructor(uint256 minDelay, address[] memory proposers, address[] memory executors, address admin)
        TimelockController(minDelay, proposers, executors, admin)
    {}
}
