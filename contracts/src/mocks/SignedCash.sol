// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title SignedCash
/// @notice Test only: cash that moves on its owner's signature (ERC-2612, ERC-3009), and a block list.
contract SignedCash is ERC20Permit, ERC3009 {
    error AccountBlocked(address account);

    mapping(address account => bool) public isBlocked;

    constructor() ERC20("Signed cash", "sUSD") ERC20Permit("Signed cash") {}

    function mint(address to, uint256 amountUsd6) external {
        _mint(to, amountUsd6);
    }

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    function _update(address from, address to, uint256 amountUsd6) internal override {
        require(!isBlocked[from], AccountBlocked(from));
        require(!isBlocked[to], AccountBlocked(to));
        super._update(from, to, amountUsd6);
    }
}
