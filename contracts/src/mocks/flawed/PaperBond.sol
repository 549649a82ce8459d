// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title PaperBond
/// @notice Test only, flawed: an approval adds to the last one, a batch reads the length of its empty result, and
///         redemption takes the units and pays nothing.
contract PaperBond {
    mapping(address holder => uint256) public balanceOf; // [units]
    mapping(address holder => mapping(address spender => uint256)) public allowance; // [units]

    function mint(address to, uint256 units, bytes calldata) external {
        balanceOf[to] += units;
    }

    function approve(address spender, uint256 units) external returns (bool) {
        allowance[msg.sender][spender] += units;
        return true;
    }

    function transferFrom(address from, address to, uint256 units) external returns (bool) {
        allowance[from][msg.sender] -= units;
        balanceOf[from] -= units;
        balanceOf[to] += units;
        return true;
    }

    function batchTransfer(address[] calldata to, uint256[] calldata units) external returns (bool[] memory done) {
        for (uint256 i = 0; i < done.length; ++i) {
            balanceOf[msg.sender] -= units[i];
            balanceOf[to[i]] += units[i];
        }
    }

    function redeem(address holder) external {
        delete balanceOf[holder];
    }
}
