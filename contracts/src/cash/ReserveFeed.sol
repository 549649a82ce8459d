// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IReserveFeed} from "../interfaces/IReserveFeed.sol";
import {SignerSet} from "../libraries/SignerSet.sol";

/// @title ReserveFeed
/// @notice Signed counts of the money behind one cash token.
///
/// LIFE. attest (1, 2, 3, ...). A later count replaces the earlier one, also when it is lower.
/// ROLES. None. The attestors are fixed; other attestors are another feed, which the token's admin names.
/// LIVENESS. Attestors who fall silent stop minting when the last count expires; transfers and redemption go on.
/// ROUNDINGS. None: amounts are exact integers.
contract ReserveFeed is IReserveFeed, EIP712 {
    using SignerSet for SignerSet.Set;

    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256("Attestation(uint64 id,uint128 amount6,uint64 asOf,uint64 expiresAt)");

    address public immutable TOKEN;

    SignerSet.Set private _attestors;
    Attestation private _latest;

    /// @param token_ Cash token whose reserve is counted.
    /// @param attestors Addresses in ascending order.
    /// @param quorum Signatures needed.
    constructor(address token_, address[] memory attestors, uint8 quorum) EIP712("ReserveFeed", "1") {
        TOKEN = token_;
        _attestors.replace(attestors, quorum);
    }

    /// @inheritdoc IReserveFeed
    function attest(Attestation calldata attestation, bytes[] calldata signatures) external {
        Attestation memory last = _latest;
        require(attestation.id == last.id + 1, WrongAttestationId(attestation.id, last.id + 1));
        require(attestation.asOf >= last.asOf, AttestationOutOfOrder(attestation.asOf, last.asOf));
        require(attestation.asOf <= block.timestamp, AttestationFromFuture(attestation.asOf, block.timestamp));
        require(attestation.expiresAt >= block.timestamp, AttestationExpired(attestation.expiresAt, block.timestamp));
        bytes32 digest = attestationDigest(attestation);
        _attestors.requireQuorum(digest, signatures);

        _latest = attestation;

        emit ReserveAttested(
            attestation.id, digest, attestation.amount6, attestation.asOf, attestation.expiresAt, signatures.length
        );
    }

    /// @inheritdoc IReserveFeed
    function latestAttestation() external view returns (Attestation memory) {
        return _latest;
    }

    /// @inheritdoc IReserveFeed
    function token() external view returns (address) {
        return TOKEN;
    }

    /// @inheritdoc IReserveFeed
    function attestationDigest(Attestation calldata attestation) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, attestation)));
    }
}
