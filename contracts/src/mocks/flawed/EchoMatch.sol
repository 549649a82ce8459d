// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title EchoMatch
/// @notice Test only, flawed: the second party repeats the terms, and only the first field of the echo is compared.
/// @dev The flaw: what is settled is the echo, so the second party sets the price alone.
contract EchoMatch {
    error OtherTrade(bytes32 actual, bytes32 expected);

    struct Terms {
        bytes32 tradeId;
        IERC20 bond;
        IERC20 cash;
        address seller;
        address buyer;
        uint256 units;
        uint256 cashUsd6;
    }

    Terms private _first;

    function propose(Terms calldata terms) external {
        _first = terms;
    }

    function confirm(Terms calldata echo) external {
        require(echo.tradeId == _first.tradeId, OtherTrade(echo.tradeId, _first.tradeId));

        echo.bond.transferFrom(echo.seller, echo.buyer, echo.units);
        echo.cash.transferFrom(echo.buyer, echo.seller, echo.cashUsd6);
    }
}
