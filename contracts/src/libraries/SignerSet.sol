// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

uint256 constant MAX_ATTESTORS = 31;

/// @title SignerSet
/// @notice A set of attestors, and the rule that enough of them signed the same digest.
/// @dev Signatures come in ascending order of signer: each attestor counts once, and no list of the seen is kept.
library SignerSet {
    /// @param members Attestors in ascending order.
    /// @param quorum Signatures needed.
    struct Set {
        mapping(address signer => bool) isMember;
        address[] members;
        uint8 quorum;
    }

    /// @notice The set contradicts itself: too many members, or a quorum outside 1 to the number of members.
    error InvalidSignerSet(bytes32 what, uint256 actual, uint256 bound);
    error WrongNumberOfSignatures(uint256 actual, uint256 minimum, uint256 maximum);
    error UnregisteredSigner(address signer);
    /// @notice Members and signatures come in ascending order of address, each once.
    error SignersNotAscending(address previous, address signer);

    /// @notice Names the members and the quorum; who was a member before is one no longer.
    /// @dev Both loops are bounded by MAX_ATTESTORS.
    function replace(Set storage set, address[] memory members, uint8 quorum) internal {
        uint256 count = members.length;
        require(count <= MAX_ATTESTORS, InvalidSignerSet("signers", count, MAX_ATTESTORS));
        require(quorum > 0, InvalidSignerSet("quorum", quorum, 1));
        require(quorum <= count, InvalidSignerSet("quorum", quorum, count));

        for (uint256 i = 0; i < set.members.length; ++i) {
            set.isMember[set.members[i]] = false;
        }
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            require(members[i] > previous, SignersNotAscending(previous, members[i]));
            previous = members[i];
            set.isMember[previous] = true;
        }
        set.members = members;
        set.quorum = quorum;
    }

    /// @notice Requires that a quorum of the members signed `digest`.
    function requireQuorum(Set storage set, bytes32 digest, bytes[] calldata signatures) internal view {
        uint256 count = signatures.length;
        require(
            count >= set.quorum && count <= set.members.length,
            WrongNumberOfSignatures(count, set.quorum, set.members.length)
        );
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = ECDSA.recoverCalldata(digest, signatures[i]);
            require(set.isMember[signer], UnregisteredSigner(signer));
            require(signer > previous, SignersNotAscending(previous, signer));
            previous = signer;
        }
    }
}
