// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IReserveFeed
/// @notice What independent attestors say the reserve behind one cash token is worth, and until when they say so.
/// @dev | name        | scale       | example                                      |
///      | `amount6`   | 1e6         | 1_000_000 = one unit of the token's currency |
///      | `asOf`      | UTC seconds | when the reserve was counted                 |
///      | `expiresAt` | UTC seconds | last second at which the attestation counts  |
interface IReserveFeed {
    /// @notice What the attestors sign (EIP-712).
    /// @param id 1, 2, 3: never skipped, so that an old attestation cannot come back.
    /// @param amount6 Value of the reserve (1e6).
    /// @param asOf When it was counted (UTC).
    /// @param expiresAt Last second at which it counts (UTC).
    struct Attestation {
        uint64 id;
        uint128 amount6;
        uint64 asOf;
        uint64 expiresAt;
    }

    /// @notice Attestations come one after another.
    error WrongAttestationId(uint64 actual, uint64 expected);
    /// @notice The reserve was counted before the last one was.
    error AttestationOutOfOrder(uint64 asOf, uint64 lastAsOf);
    error AttestationFromFuture(uint64 asOf, uint256 nowSeconds);
    error AttestationExpired(uint64 expiresAt, uint256 nowSeconds);

    event ReserveAttested(
        uint64 indexed id, bytes32 indexed digest, uint128 amount6, uint64 asOf, uint64 expiresAt, uint256 signatureCount
    );

    /// @notice Publishes a signed count of the reserve. Callable by anyone: the signatures decide.
    /// @dev Errors in order of precedence: WrongAttestationId, AttestationOutOfOrder, AttestationFromFuture,
    ///      AttestationExpired, WrongNumberOfSignatures, (signature errors), UnregisteredSigner, SignersNotAscending.
    /// @param signatures 65 bytes each, in ascending order of signer.
    function attest(Attestation calldata attestation, bytes[] calldata signatures) external;

    /// @notice The last attestation; all zero before the first.
    function latestAttestation() external view returns (Attestation memory);

    /// @notice EIP-712 digest that the attestors sign.
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);

    /// @notice The one token whose reserve this is: two tokens must not count the same money.
    function token() external view returns (address);
}
