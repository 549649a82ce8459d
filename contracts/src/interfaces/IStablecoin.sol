// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IReserveFeed} from "./IReserveFeed.sol";

/// @title IStablecoin
/// @notice Cash leg: a token of one currency, redeemable at par, six decimals.
/// @dev | name       | scale    | example                                      |
///      | `amount6`  | 1e6      | 1_000_000 = one unit of the token's currency |
///      | `currency` | ISO 4217 | "USD", "HKD", "CNH"                          |
interface IStablecoin is IERC20 {
    /// @notice Three capital letters are expected.
    error InvalidCurrency(bytes3 currency);
    /// @notice Nothing moves while the token is paused.
    error TokenPaused();
    /// @notice The account may neither send, receive, nor move the cash of others.
    error AccountBlocked(address account);
    /// @notice Never named a minter, removed, or its allowance is used up.
    error NotMinter(address account);
    error MinterAllowanceExceeded(address minter, uint256 allowance6, uint256 amount6);
    error SupplyTooLarge(uint256 supply6, uint256 amount6, uint256 maximum6);
    /// @notice The feed counts the reserve of another token.
    error ForeignReserve(address feed, address actual, address expected);
    /// @notice The last count of the reserve is too old to mint on.
    error ReserveExpired(uint256 expiresAt, uint256 nowSeconds);
    error ReserveExceeded(uint256 supply6, uint256 amount6, uint256 attested6);

    event AccountBlockSet(address indexed account, bool blocked);
    event PauseSet(address indexed by, bool paused);
    event MinterConfigured(address indexed minter, uint256 allowance6);
    event MinterRemoved(address indexed minter);
    event ReserveFeedSet(address indexed feed);
    event Rescued(address indexed token, address indexed to, uint256 amount);

    /// @notice Creates cash against a deposit of the same value outside the chain; spends the caller's allowance.
    /// @dev Errors in order of precedence: NotMinter, MinterAllowanceExceeded, ReserveExpired, ReserveExceeded,
    ///      ERC20InvalidReceiver, TokenPaused, AccountBlocked (minter, receiver), SupplyTooLarge.
    /// @param to Account credited.
    /// @param amount6 Amount created (1e6).
    function mint(address to, uint256 amount6) external;

    /// @notice Redeems the caller's cash: it leaves the chain.
    /// @dev Errors in order of precedence: TokenPaused, AccountBlocked, ERC20InsufficientBalance.
    /// @param amount6 Amount destroyed (1e6).
    function burn(uint256 amount6) external;

    /// @notice Carries a payment that its owner signed (ERC-3009), by key or by ERC-1271. Anyone may carry it.
    /// @dev Errors in order of precedence: ERC3009InvalidSignature, ERC3009InvalidAuthorizationTime,
    ///      ERC3009UsedAuthorization, then those of a transfer.
    /// @param amount6 Amount paid (1e6).
    /// @param validAfter The payment is good after this second (UTC).
    /// @param validBefore The payment is good before this second (UTC).
    /// @param nonce Any 32 bytes the owner has not used.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 amount6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice The same, carried by the payee alone: nobody can bring it in ahead of what it pays for.
    /// @dev Errors as for `transferWithAuthorization`, with ERC20InvalidReceiver after ERC3009InvalidSignature.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Ends a signed payment that was not carried yet.
    /// @dev Errors in order of precedence: ERC3009InvalidSignature, ERC3009UsedAuthorization.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;

    /// @notice Lets an account mint this much from now on, whatever it could before. The largest uint256 is never
    /// used up.
    function configureMinter(address minter, uint256 allowance6) external;

    /// @notice Ends an account's right to mint.
    function removeMinter(address minter) external;

    /// @notice Names the count of the reserve that minting is held to; zero for none.
    function setReserveFeed(IReserveFeed feed) external;

    /// @notice Stops, or lets go on, every movement of cash. Signing and approving stay possible: they move nothing.
    function setPaused(bool paused) external;

    /// @notice Puts an account on, or takes it off, the block list.
    function setBlocked(address account, bool blocked) external;

    /// @notice Sends on what was sent to this contract's own address by mistake, cash of this token included.
    /// @param amount In the token's own unit.
    function rescue(IERC20 token, address to, uint256 amount) external;

    /// @notice ISO 4217 code.
    function currency() external view returns (bytes3);

    /// @notice What the account may still mint (1e6).
    function minterAllowance(address minter) external view returns (uint256 allowance6);

    /// @notice The count of the reserve in force; zero for none.
    function reserveFeed() external view returns (IReserveFeed);

    function isPaused() external view returns (bool);

    /// @notice Whether the account is on the block list.
    function isBlocked(address account) external view returns (bool);
}
