// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IERC1643
/// @notice Documents of a security: where they are and what they hash to.
interface IERC1643 {
    error NoDocument(bytes32 name);
    error TooManyDocuments(uint256 actual, uint256 max);

    event DocumentUpdated(bytes32 indexed name, string uri, bytes32 documentHash);
    event DocumentRemoved(bytes32 indexed name, string uri, bytes32 documentHash);

    /// @notice Adds or replaces a document.
    function setDocument(bytes32 name, string calldata uri, bytes32 documentHash) external;

    function removeDocument(bytes32 name) external;

    /// @return uri Where it is. @return documentHash keccak256 of its bytes. @return lastModified Second of the change (UTC).
    function getDocument(bytes32 name)
        external
        view
        returns (string memory uri, bytes32 documentHash, uint256 lastModified);

    function getAllDocuments() external view returns (bytes32[] memory names);
}
