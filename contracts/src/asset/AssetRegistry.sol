// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAssetPledges} from "../interfaces/IAssetPledges.sol";
import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {IBondToken} from "../interfaces/IBondToken.sol";
import {SignerSet} from "../libraries/SignerSet.sol";

uint256 constant MAX_BONDS = 8; // classes of one deal
uint256 constant MAX_DOCUMENTS = 32; // listed in one dossier

/// @title AssetRegistry
/// @notice Who owns a real asset, on the word of m of n attestors, and which bonds it answers for.
///
/// LIFE. certify -> pledge -> (bonds issued, serviced, retired) -> releasePledge. certify again renews; a certificate
/// that has expired or was revoked counts for nothing until the next one.
/// CERTIFICATE. A record, not an ERC-721: ownership of a plant or a building does not move by a token transfer, so every
/// transfer and approval of such a token would have to refuse; a new owner is a new signed dossier.
/// ONE DEAL. While the asset is pledged, a second pledge and a change of owner are refused. A lapse of the certificate
/// stops issuance (`requirePledged`) and leaves the pledge: bonds already issued do not lose their collateral.
/// ROLES. Admin names the attestors and grants roles. Revoker takes certificates back at once. Trustee, or a bond
/// itself, releases a pledge. No role can write a certificate.
/// BOND REQUIREMENTS. `terms()` names the asset, `totalSupply()` tells the truth.
contract AssetRegistry is IAssetRegistry, EIP712, AccessControl {
    using SignerSet for SignerSet.Set;

    bytes32 public constant REVOKER_ROLE = keccak256("REVOKER_ROLE");
    bytes32 public constant TRUSTEE_ROLE = keccak256("TRUSTEE_ROLE");
    bytes32 private constant DOCUMENT_TYPEHASH = keccak256("Document(bytes32 name,bytes32 contentHash)");
    bytes32 private constant DOSSIER_TYPEHASH = keccak256(
        "Dossier(bytes32 assetId,bytes32 kind,address owner,uint64 validUntil,uint64 nonce,Document[] documents)"
        "Document(bytes32 name,bytes32 contentHash)"
    );
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 assetId,uint64 nonce,bytes32 reason)");

    SignerSet.Set private _attestors;
    mapping(bytes32 assetId => Certificate) private _certificates;
    mapping(bytes32 assetId => Document[]) private _documents;
    /// @dev By certificate: the names of an earlier one count no more, without a loop over them.
    mapping(bytes32 assetId => mapping(uint64 nonce => mapping(bytes32 name => bytes32))) private _documentHash;
    mapping(bytes32 assetId => address[]) private _bonds;
    mapping(bytes32 assetId => mapping(address bond => bool)) private _isBond;

    /// @param admin Account that grants the roles.
    /// @param attestors Addresses in ascending order.
    /// @param quorum Signatures needed.
    constructor(address admin, address[] memory attestors, uint8 quorum) EIP712("AssetRegistry", "1") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _attestors.replace(attestors, quorum);

        emit AttestorsSet(attestors, quorum);
    }

    /// @inheritdoc IAssetRegistry
    function setAttestors(address[] calldata attestors, uint8 quorum) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _attestors.replace(attestors, quorum);

        emit AttestorsSet(attestors, quorum);
    }

    /* CERTIFICATE */

    /// @inheritdoc IAssetRegistry
    function certify(Dossier calldata dossier, bytes[] calldata signatures) external {
        bytes32 assetId = dossier.assetId;
        _requireDossier(assetId, dossier);
        bytes32 documentsRoot = _documentsRoot(dossier.documents);
        bytes32 digest = _dossierDigest(dossier, documentsRoot);
        _attestors.requireQuorum(digest, signatures);

        _certificates[assetId] = Certificate({
            owner: dossier.owner,
            validUntil: dossier.validUntil,
            nonce: dossier.nonce,
            revokedAt: 0,
            kind: dossier.kind,
            documentsRoot: documentsRoot
        });

        emit AssetCertified(
            assetId,
            dossier.owner,
            dossier.nonce,
            digest,
            dossier.kind,
            dossier.validUntil,
            documentsRoot,
            signatures.length
        );

        _listDocuments(assetId, dossier.nonce, dossier.documents);
    }

    /// @inheritdoc IAssetRegistry
    function revokeSigned(Revocation calldata revocation, bytes[] calldata signatures) external {
        Certificate storage certificate = _certificates[revocation.assetId];
        require(certificate.nonce > 0, Uncertified(revocation.assetId));
        require(
            revocation.nonce == certificate.nonce,
            WrongCertificateNonce(revocation.assetId, revocation.nonce, certificate.nonce)
        );
        require(certificate.revokedAt == 0, CertificateRevoked(revocation.assetId, certificate.revokedAt));
        _attestors.requireQuorum(revocationDigest(revocation), signatures);

        _revoke(certificate, revocation.assetId, revocation.reason);
    }

    /// @inheritdoc IAssetRegistry
    function revoke(bytes32 assetId, bytes32 reason) external onlyRole(REVOKER_ROLE) {
        Certificate storage certificate = _certificates[assetId];
        require(certificate.nonce > 0, Uncertified(assetId));
        require(certificate.revokedAt == 0, CertificateRevoked(assetId, certificate.revokedAt));

        _revoke(certificate, assetId, reason);
    }

    /* PLEDGE */

    /// @inheritdoc IAssetRegistry
    function pledge(bytes32 assetId, address[] calldata bonds) external {
        _requireInForce(assetId);
        address owner = _certificates[assetId].owner;
        require(msg.sender == owner, NotOwner(assetId, msg.sender, owner));
        _requireFree(assetId);
        require(bonds.length > 0 && bonds.length <= MAX_BONDS, WrongNumberOfBonds(bonds.length, 1, MAX_BONDS));
        for (uint256 i = 0; i < bonds.length; ++i) {
            _requireBond(assetId, bonds[i]);
            _isBond[assetId][bonds[i]] = true;
        }
        _bonds[assetId] = bonds;

        emit AssetPledged(assetId, owner, bonds);
    }

    /// @inheritdoc IAssetRegistry
    function releasePledge(bytes32 assetId) external {
        address[] memory bonds = _bonds[assetId];
        require(bonds.length > 0, NotPledged(assetId, msg.sender));
        require(_isBond[assetId][msg.sender] || hasRole(TRUSTEE_ROLE, msg.sender), NotBondSide(assetId, msg.sender));
        for (uint256 i = 0; i < bonds.length; ++i) {
            uint256 units = IBondToken(bonds[i]).totalSupply();
            require(units == 0, BondOutstanding(assetId, bonds[i], units));
            delete _isBond[assetId][bonds[i]];
        }
        delete _bonds[assetId];

        emit PledgeReleased(assetId, msg.sender, bonds);
    }

    /* VIEWS */

    /// @inheritdoc IAssetPledges
    function requirePledged(bytes32 assetId, address bond) external view {
        _requireInForce(assetId);
        if (_isBond[assetId][bond]) return;
        _requireFree(assetId);
        revert NotPledged(assetId, bond);
    }

    /// @inheritdoc IAssetRegistry
    function isPledgedTo(bytes32 assetId, address bond) external view returns (bool) {
        Certificate storage certificate = _certificates[assetId];
        return _isBond[assetId][bond] && certificate.revokedAt == 0 && block.timestamp <= certificate.validUntil;
    }

    /// @inheritdoc IAssetRegistry
    function certificateOf(bytes32 assetId) external view returns (Certificate memory) {
        return _certificates[assetId];
    }

    /// @inheritdoc IAssetRegistry
    function documentsOf(bytes32 assetId) external view returns (Document[] memory) {
        return _documents[assetId];
    }

    /// @inheritdoc IAssetRegistry
    function documentHash(bytes32 assetId, bytes32 name) external view returns (bytes32) {
        return _documentHash[assetId][_certificates[assetId].nonce][name];
    }

    /// @inheritdoc IAssetRegistry
    function bondsOf(bytes32 assetId) external view returns (address[] memory) {
        return _bonds[assetId];
    }

    /// @inheritdoc IAssetRegistry
    function dossierDigest(Dossier calldata dossier) external view returns (bytes32) {
        return _dossierDigest(dossier, _documentsRoot(dossier.documents));
    }

    /// @inheritdoc IAssetRegistry
    function revocationDigest(Revocation calldata revocation) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, revocation)));
    }

    /* INTERNALS */

    function _requireDossier(bytes32 assetId, Dossier calldata dossier) private view {
        Certificate storage last = _certificates[assetId];
        uint256 count = dossier.documents.length;
        require(dossier.nonce == last.nonce + 1, WrongCertificateNonce(assetId, dossier.nonce, last.nonce + 1));
        require(dossier.owner != address(0), InvalidDossier(assetId, "owner", 0, 1));
        require(
            dossier.validUntil >= block.timestamp,
            InvalidDossier(assetId, "validUntil", dossier.validUntil, block.timestamp)
        );
        require(count > 0, InvalidDossier(assetId, "documents", count, 1));
        require(count <= MAX_DOCUMENTS, InvalidDossier(assetId, "documents", count, MAX_DOCUMENTS));
        require(
            dossier.owner == last.owner || _bonds[assetId].length == 0,
            OwnerChangeWhilePledged(assetId, dossier.owner, last.owner)
        );
    }

    function _listDocuments(bytes32 assetId, uint64 nonce, Document[] calldata documents) private {
        delete _documents[assetId];
        for (uint256 i = 0; i < documents.length; ++i) {
            Document calldata document = documents[i];
            require(document.contentHash != 0, InvalidDossier(assetId, document.name, 0, 1));
            require(_documentHash[assetId][nonce][document.name] == 0, DuplicateDocument(assetId, document.name));

            _documents[assetId].push(document);
            _documentHash[assetId][nonce][document.name] = document.contentHash;

            emit DocumentListed(assetId, nonce, document.name, document.contentHash);
        }
    }

    function _revoke(Certificate storage certificate, bytes32 assetId, bytes32 reason) private {
        certificate.revokedAt = uint64(block.timestamp);

        emit AssetRevoked(assetId, certificate.nonce, msg.sender, reason);
    }

    function _requireInForce(bytes32 assetId) private view {
        Certificate storage certificate = _certificates[assetId];
        require(certificate.nonce > 0, Uncertified(assetId));
        require(certificate.revokedAt == 0, CertificateRevoked(assetId, certificate.revokedAt));
        require(
            block.timestamp <= certificate.validUntil,
            CertificateExpired(assetId, certificate.validUntil, block.timestamp)
        );
    }

    function _requireFree(bytes32 assetId) private view {
        address[] storage bonds = _bonds[assetId];
        if (bonds.length > 0) revert AlreadyPledged(assetId, bonds[0]);
    }

    function _requireBond(bytes32 assetId, address bond) private view {
        require(bond.code.length > 0, NoBondThere(bond));
        bytes32 written = IBondToken(bond).terms().assetId;
        require(written == assetId, WrongAsset(bond, written, assetId));
        require(!_isBond[assetId][bond], DuplicateBond(assetId, bond));
    }

    function _dossierDigest(Dossier calldata dossier, bytes32 documentsRoot) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    DOSSIER_TYPEHASH,
                    dossier.assetId,
                    dossier.kind,
                    dossier.owner,
                    dossier.validUntil,
                    dossier.nonce,
                    documentsRoot
                )
            )
        );
    }

    /// @dev EIP-712: an array is the hash of the hashes of its members.
    function _documentsRoot(Document[] calldata documents) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](documents.length);
        for (uint256 i = 0; i < documents.length; ++i) {
            hashes[i] = keccak256(abi.encode(DOCUMENT_TYPEHASH, documents[i]));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
