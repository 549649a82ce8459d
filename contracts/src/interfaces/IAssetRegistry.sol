// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAssetPledges} from "./IAssetPledges.sol";

/// @title IAssetRegistry
/// @notice Attested ownership of real assets, and the one deal each asset is pledged to.
/// @dev | name         | scale       | example                                     |
///      | `assetId`    | 1e0         | any 32 bytes, the same as in bond and feed  |
///      | `validUntil` | UTC seconds | last second at which the certificate counts |
///      | `nonce`      | 1e0         | 1 for the first certificate of an asset     |
interface IAssetRegistry is IAssetPledges {
    /// @notice A document of the dossier.
    /// @param name What it is: "title deed", "meter calibration". Short ASCII, padded with zeros.
    /// @param contentHash keccak256 of the file.
    struct Document {
        bytes32 name;
        bytes32 contentHash;
    }

    /// @notice What the attestors sign (EIP-712).
    /// @param kind What the asset is: "solar plant", "office building". Short ASCII, padded with zeros.
    /// @param owner Who may pledge the asset.
    /// @param nonce One more than that of the asset's certificate before.
    struct Dossier {
        bytes32 assetId;
        bytes32 kind;
        address owner;
        uint64 validUntil;
        uint64 nonce;
        Document[] documents;
    }

    /// @notice What the attestors sign to take a certificate back (EIP-712).
    /// @param nonce That of the certificate taken back.
    /// @param reason Short ASCII, padded with zeros.
    struct Revocation {
        bytes32 assetId;
        uint64 nonce;
        bytes32 reason;
    }

    /// @notice The certificate of an asset; all zero before the first.
    /// @param documentsRoot EIP-712 hash of the list of documents.
    /// @param revokedAt Second of the revocation; 0 while it stands.
    struct Certificate {
        address owner;
        uint64 validUntil;
        uint64 nonce;
        uint64 revokedAt;
        bytes32 kind;
        bytes32 documentsRoot;
    }

    /// @notice Certificates of an asset are numbered one after another.
    error WrongCertificateNonce(bytes32 assetId, uint64 actual, uint64 expected);
    error InvalidDossier(bytes32 assetId, bytes32 what, uint256 actual, uint256 bound);
    error DuplicateDocument(bytes32 assetId, bytes32 name);
    /// @notice A pledged asset does not change hands: it answers for the bonds.
    error OwnerChangeWhilePledged(bytes32 assetId, address actual, address expected);
    /// @notice No dossier of the asset was ever attested.
    error Uncertified(bytes32 assetId);
    error CertificateRevoked(bytes32 assetId, uint256 revokedAt);
    error CertificateExpired(bytes32 assetId, uint256 validUntil, uint256 nowSeconds);
    error NotOwner(bytes32 assetId, address actual, address expected);
    /// @notice One to eight bonds: the classes of one deal.
    error WrongNumberOfBonds(uint256 actual, uint256 minimum, uint256 maximum);
    error NoBondThere(address bond);
    /// @notice The bond is written on another asset.
    error WrongAsset(address bond, bytes32 actual, bytes32 expected);
    error DuplicateBond(bytes32 assetId, address bond);
    /// @notice The asset answers for other bonds. @param firstBond The first of them.
    error AlreadyPledged(bytes32 assetId, address firstBond);
    error NotPledged(bytes32 assetId, address bond);
    /// @notice Neither one of the bonds nor the trustee.
    error NotBondSide(bytes32 assetId, address caller);
    error BondOutstanding(bytes32 assetId, address bond, uint256 units);

    event AttestorsSet(address[] attestors, uint8 quorum);
    event AssetCertified(
        bytes32 indexed assetId,
        address indexed owner,
        uint64 indexed nonce,
        bytes32 digest,
        bytes32 kind,
        uint64 validUntil,
        bytes32 documentsRoot,
        uint256 signatureCount
    );
    event DocumentListed(bytes32 indexed assetId, uint64 indexed nonce, bytes32 indexed name, bytes32 contentHash);
    event AssetRevoked(bytes32 indexed assetId, uint64 indexed nonce, address indexed by, bytes32 reason);
    event AssetPledged(bytes32 indexed assetId, address indexed owner, address[] bonds);
    event PledgeReleased(bytes32 indexed assetId, address indexed by, address[] bonds);

    /// @notice Names the attestors and how many of them must sign; earlier certificates stand. Admin only.
    /// @param attestors Addresses in ascending order.
    function setAttestors(address[] calldata attestors, uint8 quorum) external;

    /// @notice Writes the certificate of a signed dossier; it replaces the asset's certificate before. Anyone may send.
    /// @dev Errors in order of precedence: WrongCertificateNonce, InvalidDossier (owner, validUntil, documents),
    ///      OwnerChangeWhilePledged, WrongNumberOfSignatures, (signature errors), UnregisteredSigner,
    ///      SignersNotAscending, DuplicateDocument.
    /// @param signatures 65 bytes each, in ascending order of signer.
    function certify(Dossier calldata dossier, bytes[] calldata signatures) external;

    /// @notice Takes a certificate back on the word of the attestors. Anyone may send.
    /// @dev Errors in order of precedence: Uncertified, WrongCertificateNonce, CertificateRevoked,
    ///      WrongNumberOfSignatures, (signature errors), UnregisteredSigner, SignersNotAscending.
    function revokeSigned(Revocation calldata revocation, bytes[] calldata signatures) external;

    /// @notice Takes a certificate back at once. Revoker only.
    /// @dev Errors in order of precedence: the role's, Uncertified, CertificateRevoked.
    function revoke(bytes32 assetId, bytes32 reason) external;

    /// @notice Binds the asset to the bonds of one deal. Owner of a certificate in force only.
    /// @dev Errors in order of precedence: Uncertified, CertificateRevoked, CertificateExpired, NotOwner, AlreadyPledged,
    ///      WrongNumberOfBonds; then for each bond NoBondThere, WrongAsset, DuplicateBond.
    function pledge(bytes32 assetId, address[] calldata bonds) external;

    /// @notice Frees the asset once no unit of its bonds is outstanding. One of the bonds, or the trustee.
    /// @dev Errors in order of precedence: NotPledged, NotBondSide, BondOutstanding.
    function releasePledge(bytes32 assetId) external;

    /// @notice Whether the asset answers for the bond on a certificate in force: what `requirePledged` demands, which
    /// says what is missing.
    /// @dev Errors of `requirePledged` in order of precedence: Uncertified, CertificateRevoked, CertificateExpired, then
    ///      AlreadyPledged (to other bonds) or NotPledged (to none).
    function isPledgedTo(bytes32 assetId, address bond) external view returns (bool);

    function certificateOf(bytes32 assetId) external view returns (Certificate memory);

    /// @notice Documents of the certificate in force or last in force.
    function documentsOf(bytes32 assetId) external view returns (Document[] memory);

    /// @notice Hash of a named document of the asset's certificate; 0 if it is not listed.
    function documentHash(bytes32 assetId, bytes32 name) external view returns (bytes32);

    /// @notice Bonds the asset answers for; empty while it is free.
    function bondsOf(bytes32 assetId) external view returns (address[] memory);

    /// @notice EIP-712 digest that the attestors sign.
    function dossierDigest(Dossier calldata dossier) external view returns (bytes32);

    /// @notice EIP-712 digest that the attestors sign to take a certificate back.
    function revocationDigest(Revocation calldata revocation) external view returns (bytes32);
}
