// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IKeyReleasePayment
/// @notice The side of a swap that pays, and whose outcome decides which key is released: functions and events of
/// `IDecryptionContract` in the draft ERC-7573.
/// @dev | name     | scale | example                            |
///      | `amount` | 1e6   | 1_000_000 = one unit of the currency, positive |
interface IKeyReleasePayment {
    enum PaymentStatus {
        None,
        Incepted,
        Paid,
        Failed,
        Cancelled
    }

    error WrongPaymentStatus(uint256 id, PaymentStatus actual, PaymentStatus expected);
    error InvalidAmount(uint256 id, int256 amount);
    error SameParty(uint256 id, address party);
    error InvalidKey(uint256 id);
    /// @notice Not the terms that were incepted.
    error TermsDiffer(uint256 id, bytes32 actual, bytes32 expected);
    error OnlyOracle(address caller, address oracle);
    error NotRequested(uint256 id, PaymentStatus status);
    error AlreadyReleased(uint256 id);
    /// @notice The token moved something, but not the amount.
    error NotPaidExactly(uint256 id, uint256 actual, uint256 expected);

    event TransferIncepted(
        uint256 id, int256 amount, address from, address to, bytes keyEncryptedSuccess, bytes keyEncryptedFailure
    );
    event TransferKeyRequested(address sender, uint256 id, bytes encryptedKey);
    event TransferKeyReleased(address sender, uint256 id, bool success, bytes key);

    /// @notice The payee names the terms and both encrypted keys.
    /// @dev Errors in order of precedence: WrongPaymentStatus, InvalidAmount, SameParty, InvalidKey.
    function inceptTransfer(
        uint256 id, int256 amount, address from, bytes calldata keyEncryptedSuccess, bytes calldata keyEncryptedFailure
    ) external;

    /// @notice The payer repeats the terms and pays. A payment that moves exactly the amount asks for the key of
    /// success; one that the token refuses asks for the key of failure, and ends the matter too.
    /// @dev Errors in order of precedence: WrongPaymentStatus, TermsDiffer.
    function transferAndDecrypt(
        uint256 id, int256 amount, address to, bytes calldata keyEncryptedSuccess, bytes calldata keyEncryptedFailure
    ) external;

    /// @notice The payee calls it off before it is paid; asks for the key of failure.
    /// @dev Errors in order of precedence: WrongPaymentStatus, TermsDiffer.
    function cancelAndDecrypt(
        uint256 id, address from, bytes calldata keyEncryptedSuccess, bytes calldata keyEncryptedFailure
    ) external;

    /// @notice Publishes a decrypted key, once. Oracle only.
    /// @dev Errors in order of precedence: OnlyOracle, NotRequested, AlreadyReleased.
    function releaseKey(uint256 id, bytes calldata key) external;

    function statusOf(uint256 id) external view returns (PaymentStatus);
}
