// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title CodehashRegister
/// @notice Test only, flawed: trusts every caller that runs the listed code, and asks nobody for an allowance.
/// @dev The flaw: code says what a contract does, its storage says for whom. Storage is not in the code hash.
contract CodehashRegister {
    error Untrusted(address caller);

    bytes32 private immutable TRUSTED;

    mapping(address holder => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(address trusted) {
        TRUSTED = trusted.codehash;
    }

    function mint(address to, uint256 units) external {
        balanceOf[to] += units;
    }

    function transferFrom(address from, address to, uint256 units) external returns (bool) {
        require(msg.sender.codehash == TRUSTED, Untrusted(msg.sender));

        balanceOf[from] -= units;
        balanceOf[to] += units;
        return true;
    }
}

/// @title Mover
/// @notice Test only: moves units of any register for its operator. Two of them differ in storage alone.
contract Mover {
    error OnlyOperator(address caller);

    address private _operator;

    constructor(address operator) {
        _operator = operator;
    }

    function move(CodehashRegister register, address from, address to, uint256 units) external {
        require(msg.sender == _operator, OnlyOperator(msg.sender));

        register.transferFrom(from, to, units);
    }
}
