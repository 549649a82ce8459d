// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title NoReturnCash
/// @notice Test only: moves cash as asked and returns nothing, as some old tokens do.
contract NoReturnCash {
    mapping(address holder => uint256) public balanceOf; // [1e6]
    mapping(address owner => mapping(address spender => uint256)) public allowance; // [1e6]

    error Short(address holder, uint256 actual, uint256 needed);

    function mint(address to, uint256 amountUsd6) external {
        balanceOf[to] += amountUsd6;
    }

    function approve(address spender, uint256 amountUsd6) external {
        allowance[msg.sender][spender] = amountUsd6;
    }

    function transfer(address to, uint256 amountUsd6) external {
        _move(msg.sender, to, amountUsd6);
    }

    function transferFrom(address from, address to, uint256 amountUsd6) external {
        allowance[from][msg.sender] -= amountUsd6;
        _move(from, to, amountUsd6);
    }

    function _move(address from, address to, uint256 amountUsd6) private {
        require(balanceOf[from] >= amountUsd6, Short(from, balanceOf[from], amountUsd6));
        balanceOf[from] -= amountUsd6;
        balanceOf[to] += amountUsd6;
    }
}
