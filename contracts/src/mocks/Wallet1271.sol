// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Wallet1271
/// @notice Test only: a contract wallet whose owner signs for it (ERC-1271).
contract Wallet1271 is IERC1271 {
    error OnlyOwner(address caller, address owner);

    address public immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    /// @notice Makes a call as the wallet.
    function execute(address target, bytes calldata data) external {
        require(msg.sender == OWNER, OnlyOwner(msg.sender, OWNER));

        Address.functionCall(target, data);
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recoverCalldata(hash, signature) == OWNER ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
