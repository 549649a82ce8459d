// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IKeyReleasePayment} from "../../interfaces/IKeyReleasePayment.sol";

/// @title KeyReleasePayment
/// @notice Pays, and asks the key holder for the key of what happened.
///
/// LIFE. inceptTransfer (payee) -> transferAndDecrypt (payer) or cancelAndDecrypt (payee) -> releaseKey (oracle). The
/// outcome is written before the key is asked for, and asks for one key only: never both.
/// ORACLE. Holds the keys and may release the wrong one, early, late or never; this contract cannot tell. What is trusted
/// to it is written in the documentation.
/// TOKEN REQUIREMENTS. A payment moves exactly the amount, or nothing: then it has failed. Anything between reverts.
/// ROUNDINGS. None. ROLES. None but the oracle, fixed at creation.
contract KeyReleasePayment is IKeyReleasePayment, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    IERC20 public immutable CASH;
    address public immutable ORACLE;

    struct Payment {
        PaymentStatus status;
        bool released;
        uint256 amount6; // [1e6]
        bytes32 termsHash;
    }

    mapping(uint256 id => Payment) private _payments;

    /// @param cash Token of the payments.
    /// @param oracle Account that releases keys.
    constructor(IERC20 cash, address oracle) {
        CASH = cash;
        ORACLE = oracle;
    }

    /// @inheritdoc IKeyReleasePayment
    function inceptTransfer(
        uint256 id,
        int256 amount,
        address from,
        bytes calldata keyEncryptedSuccess,
        bytes calldata keyEncryptedFailure
    ) external {
        _requireStatus(id, PaymentStatus.None);
        require(amount > 0, InvalidAmount(id, amount));
        require(from != msg.sender && from != address(0), SameParty(id, from));
        bool differ = keccak256(keyEncryptedSuccess) != keccak256(keyEncryptedFailure);
        require(differ && keyEncryptedSuccess.length > 0 && keyEncryptedFailure.length > 0, InvalidKey(id));

        Payment storage p = _payments[id];
        p.status = PaymentStatus.Incepted;
        p.amount6 = uint256(amount);
        p.termsHash = _terms(uint256(amount), from, msg.sender, keyEncryptedSuccess, keyEncryptedFailure);

        emit TransferIncepted(id, amount, from, msg.sender, keyEncryptedSuccess, keyEncryptedFailure);
    }

    /// @inheritdoc IKeyReleasePayment
    function transferAndDecrypt(
        uint256 id,
        int256 amount,
        address to,
        bytes calldata keyEncryptedSuccess,
        bytes calldata keyEncryptedFailure
    ) external nonReentrant {
        Payment storage p = _payments[id];
        _requireStatus(id, PaymentStatus.Incepted);
        _requireTerms(id, _terms(uint256(amount), msg.sender, to, keyEncryptedSuccess, keyEncryptedFailure));

        // What happened is known only after the attempt; the guard keeps re-entry out.
        bool paid = _tryPay(id, msg.sender, to, uint256(amount));
        p.status = paid ? PaymentStatus.Paid : PaymentStatus.Failed;

        emit TransferKeyRequested(msg.sender, id, paid ? keyEncryptedSuccess : keyEncryptedFailure);
    }

    /// @inheritdoc IKeyReleasePayment
    function cancelAndDecrypt(
        uint256 id,
        address from,
        bytes calldata keyEncryptedSuccess,
        bytes calldata keyEncryptedFailure
    ) external nonReentrant {
        Payment storage p = _payments[id];
        _requireStatus(id, PaymentStatus.Incepted);
        _requireTerms(id, _terms(p.amount6, from, msg.sender, keyEncryptedSuccess, keyEncryptedFailure));

        p.status = PaymentStatus.Cancelled;

        emit TransferKeyRequested(msg.sender, id, keyEncryptedFailure);
    }

    /// @inheritdoc IKeyReleasePayment
    function releaseKey(uint256 id, bytes calldata key) external {
        Payment storage p = _payments[id];
        require(msg.sender == ORACLE, OnlyOracle(msg.sender, ORACLE));
        require(p.status > PaymentStatus.Incepted, NotRequested(id, p.status));
        require(!p.released, AlreadyReleased(id));

        p.released = true;

        emit TransferKeyReleased(msg.sender, id, p.status == PaymentStatus.Paid, key);
    }

    /// @inheritdoc IKeyReleasePayment
    function statusOf(uint256 id) external view returns (PaymentStatus) {
        return _payments[id].status;
    }

    /// @dev A token may move cash and deny it: what counts is what moved.
    function _tryPay(uint256 id, address from, address to, uint256 amount6) private returns (bool paid) {
        uint256 fromBefore = CASH.balanceOf(from);
        uint256 toBefore = CASH.balanceOf(to);
        paid = CASH.trySafeTransferFrom(from, to, amount6);
        uint256 expected = paid ? amount6 : 0;
        uint256 received = CASH.balanceOf(to) - toBefore;
        require(received == expected, NotPaidExactly(id, received, expected));
        uint256 sent = fromBefore - CASH.balanceOf(from);
        require(sent == expected, NotPaidExactly(id, sent, expected));
    }

    function _requireStatus(uint256 id, PaymentStatus expected) private view {
        PaymentStatus actual = _payments[id].status;
        require(actual == expected, WrongPaymentStatus(id, actual, expected));
    }

    function _requireTerms(uint256 id, bytes32 actual) private view {
        bytes32 expected = _payments[id].termsHash;
        require(actual == expected, TermsDiffer(id, actual, expected));
    }

    function _terms(
        uint256 amount6,
        address from,
        address to,
        bytes calldata keyEncryptedSuccess,
        bytes calldata keyEncryptedFailure
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(amount6, from, to, keyEncryptedSuccess, keyEncryptedFailure));
    }
}
