// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ICashflowFeed} from "../interfaces/ICashflowFeed.sol";

/// @title ReadingProof
/// @notice Shows that a final report rests on one reading, and which device signed it.
///
/// LEAF. keccak256 of keccak256 of the signed bytes followed by the signature: hashed twice, so that no inner node of
/// the tree passes for a reading.
/// DEVICE. Devices sign sha256 of the raw bytes with secp256k1, as OCMF records do; the signature is r, s, v with a low
/// s. Whether the address is a device of the asset is for the reader to know: the feed does not list devices.
contract ReadingProof {
    error NoFinalReport(bytes32 assetId, uint64 periodId);
    /// @notice The reading is not under the report's root by this proof.
    error NotInReport(bytes32 leaf, bytes32 root);

    ICashflowFeed public immutable FEED;

    /// @param feed Where the reports are.
    constructor(ICashflowFeed feed) {
        FEED = feed;
    }

    /// @notice Address of the device that signed the reading.
    /// @dev Errors in order of precedence: NoFinalReport, NotInReport, (signature errors).
    /// @param raw Bytes as the device signed them.
    /// @param signature 65 bytes, r, s, v over sha256 of `raw`.
    /// @param proof Siblings from the leaf up.
    function deviceOf(
        bytes32 assetId,
        uint64 periodId,
        bytes calldata raw,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external view returns (address device) {
        ICashflowFeed.FinalReport memory report = FEED.finalReport(assetId, periodId);
        require(report.finalisedAt > 0, NoFinalReport(assetId, periodId));
        bytes32 leaf = leafOf(raw, signature);
        require(
            MerkleProof.verifyCalldata(proof, report.readingsRoot, leaf), NotInReport(leaf, report.readingsRoot)
        );

        return ECDSA.recoverCalldata(sha256(raw), signature);
    }

    /// @notice Leaf of a reading in the tree under `readingsRoot`.
    function leafOf(bytes calldata raw, bytes calldata signature) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(keccak256(abi.encodePacked(raw, signature))));
    }
}
