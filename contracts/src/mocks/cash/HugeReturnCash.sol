// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

uint256 constant HUGE_WORDS = 10_000; // 320 kB

/// @title HugeReturnCash
/// @notice Test only: moves cash as asked, returns true, and a third of a megabyte behind it.
/// @dev Whoever copies the return data pays for it; whoever reads one word does not.
contract HugeReturnCash {
    mapping(address holder => uint256) public balanceOf; // [1e6]
    mapping(address owner => mapping(address spender => uint256)) public allowance; // [1e6]

    error Short(address holder, uint256 actual, uint256 needed);

    function mint(address to, uint256 amount6) external {
        balanceOf[to] += amount6;
    }

    function approve(address spender, uint256 amount6) external returns (bool) {
        allowance[msg.sender][spender] = amount6;
        return true;
    }

    function transfer(address to, uint256 amount6) external returns (bool, uint256[] memory) {
        return _move(msg.sender, to, amount6);
    }

    function transferFrom(address from, address to, uint256 amount6) external returns (bool, uint256[] memory) {
        allowance[from][msg.sender] -= amount6;
        return _move(from, to, amount6);
    }

    function _move(address from, address to, uint256 amount6) private returns (bool, uint256[] memory) {
        require(balanceOf[from] >= amount6, Short(from, balanceOf[from], amount6));
        balanceOf[from] -= amount6;
        balanceOf[to] += amount6;
        return (true, new uint256[](HUGE_WORDS));
    }
}
