// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IReserveFeed} from "../interfaces/IReserveFeed.sol";
import {IStablecoin} from "../interfaces/IStablecoin.sol";

uint8 constant CASH_DECIMALS = 6;
uint256 constant FLAG = 1 << 255; // top bit of a word: blocked account, paused token
uint256 constant MAX_AMOUNT6 = FLAG - 1; // [1e6] what the rest of the word can hold
uint256 constant UNLIMITED_MINTER = type(uint256).max;

/// @title Stablecoin
/// @notice Cash token of one currency: minted against bank money, redeemed at par.
///
/// LIFE. mint (on-ramp) -> transfer -> burn (off-ramp).
/// WORDS. An account's balance and its block flag are one storage word, supply and pause flag another: holding every
/// movement to the block list costs no slot of its own.
/// BLOCK LIST. Sender, receiver and whoever submits the movement (spender, minter, carrier of an authorisation) are all
/// held to it, on every way in, because every way ends in `_update`. A blocked account may sign and approve.
/// SIGNATURES. ERC-2612 permits count up; ERC-3009 authorisations carry any 32 bytes as nonce, in any order, and are
/// valid between two UTC seconds, both excluded. Wallets that are contracts sign by ERC-1271 (the `bytes` overloads).
/// RESERVE. Where a feed is named, nothing is minted on an expired count, nor above the count in force. A count that
/// falls below the supply stops minting and burns nothing.
/// ROLES. Admin grants roles, names minters with an allowance each, and the reserve feed. Pauser, blocker and rescuer do
/// what their names say. No role can move a holder's cash.
/// ROUNDINGS. None: every amount is an exact integer.
contract Stablecoin is IStablecoin, ERC20Permit, ERC3009, AccessControl {
    using SafeERC20 for IERC20;

    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant BLOCKER_ROLE = keccak256("BLOCKER_ROLE");
    bytes32 public constant RESCUER_ROLE = keccak256("RESCUER_ROLE");

    struct Account {
        uint256 word; // [1e6] and the block flag
    }

    bytes3 private immutable CURRENCY;

    uint256 private _supplyWord; // [1e6] and the pause flag
    mapping(address account => Account) private _accounts;
    /// @inheritdoc IStablecoin
    mapping(address minter => uint256) public minterAllowance; // [1e6]
    /// @inheritdoc IStablecoin
    IReserveFeed public reserveFeed;

    /// @param name_ Name shown and hashed into the signing domain.
    /// @param symbol_ Ticker.
    /// @param currency_ ISO 4217 code, three capital letters.
    /// @param admin Account that grants the roles.
    constructor(string memory name_, string memory symbol_, bytes3 currency_, address admin)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        for (uint256 i = 0; i < 3; ++i) {
            require(currency_[i] >= "A" && currency_[i] <= "Z", InvalidCurrency(currency_));
        }

        CURRENCY = currency_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /* CASH COMES AND GOES */

    /// @inheritdoc IStablecoin
    function mint(address to, uint256 amount6) external {
        uint256 allowance6 = minterAllowance[msg.sender];
        require(allowance6 > 0, NotMinter(msg.sender));
        require(amount6 <= allowance6, MinterAllowanceExceeded(msg.sender, allowance6, amount6));
        _requireReserve(amount6);

        if (allowance6 != UNLIMITED_MINTER) minterAllowance[msg.sender] = allowance6 - amount6;
        _mint(to, amount6);
    }

    /// @inheritdoc IStablecoin
    function burn(uint256 amount6) external {
        _burn(msg.sender, amount6);
    }

    /* SIGNED BY A WALLET THAT MAY BE A CONTRACT (the overloads with v, r, s are the library's) */

    /// @inheritdoc IStablecoin
    function transferWithAuthorization(
        address from,
        address to,
        uint256 amount6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 kind = TRANSFER_WITH_AUTHORIZATION_TYPEHASH;
        _requireSigned(from, keccak256(abi.encode(kind, from, to, amount6, validAfter, validBefore, nonce)), signature);

        _transferWithAuthorization(from, to, amount6, validAfter, validBefore, nonce);
    }

    /// @inheritdoc IStablecoin
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount6,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 kind = RECEIVE_WITH_AUTHORIZATION_TYPEHASH;
        _requireSigned(from, keccak256(abi.encode(kind, from, to, amount6, validAfter, validBefore, nonce)), signature);
        require(to == msg.sender, ERC20InvalidReceiver(to));

        _transferWithAuthorization(from, to, amount6, validAfter, validBefore, nonce);
    }

    /// @inheritdoc IStablecoin
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        _requireSigned(
            authorizer, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), signature
        );

        _cancelAuthorization(authorizer, nonce);
    }

    /* WHO MAY */

    /// @inheritdoc IStablecoin
    function configureMinter(address minter, uint256 allowance6) external onlyRole(DEFAULT_ADMIN_ROLE) {
        minterAllowance[minter] = allowance6;

        emit MinterConfigured(minter, allowance6);
    }

    /// @inheritdoc IStablecoin
    function removeMinter(address minter) external onlyRole(DEFAULT_ADMIN_ROLE) {
        delete minterAllowance[minter];

        emit MinterRemoved(minter);
    }

    /// @inheritdoc IStablecoin
    function setReserveFeed(IReserveFeed feed) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (address(feed) != address(0)) {
            address counted = feed.token();
            require(counted == address(this), ForeignReserve(address(feed), counted, address(this)));
        }

        reserveFeed = feed;

        emit ReserveFeedSet(address(feed));
    }

    /// @inheritdoc IStablecoin
    function setPaused(bool paused) external onlyRole(PAUSER_ROLE) {
        _supplyWord = _flagged(_supplyWord, paused);

        emit PauseSet(msg.sender, paused);
    }

    /// @inheritdoc IStablecoin
    function setBlocked(address account, bool blocked) external onlyRole(BLOCKER_ROLE) {
        Account storage holder = _accounts[account];
        holder.word = _flagged(holder.word, blocked);

        emit AccountBlockSet(account, blocked);
    }

    /// @inheritdoc IStablecoin
    function rescue(IERC20 token, address to, uint256 amount) external onlyRole(RESCUER_ROLE) {
        emit Rescued(address(token), to, amount);

        token.safeTransfer(to, amount);
    }

    /* VIEWS */

    /// @inheritdoc IStablecoin
    function currency() external view returns (bytes3) {
        return CURRENCY;
    }

    /// @inheritdoc IStablecoin
    function isPaused() external view returns (bool) {
        return _supplyWord & FLAG != 0;
    }

    /// @inheritdoc IStablecoin
    function isBlocked(address account) external view returns (bool) {
        return _accounts[account].word & FLAG != 0;
    }

    /// @inheritdoc IERC20
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256 amount6) {
        return _accounts[account].word & MAX_AMOUNT6;
    }

    /// @inheritdoc IERC20
    function totalSupply() public view override(ERC20, IERC20) returns (uint256 amount6) {
        return _supplyWord & MAX_AMOUNT6;
    }

    /// @notice Six: amounts are in millionths of the currency.
    function decimals() public pure override returns (uint8) {
        return CASH_DECIMALS;
    }

    /* MOVEMENT */

    /// @dev The one door of every movement. Order: pause, block list (submitter, sender, receiver), amount.
    function _update(address from, address to, uint256 amount6) internal override {
        uint256 supply6 = _supplyWord;
        require(supply6 & FLAG == 0, TokenPaused());
        if (msg.sender != from && msg.sender != to) _unblocked(_accounts[msg.sender], msg.sender);

        if (from == address(0)) _create(to, amount6, supply6);
        else if (to == address(0)) _destroy(from, amount6, supply6);
        else _move(from, to, amount6);

        emit Transfer(from, to, amount6);
    }

    /// @dev Unchecked: no balance exceeds the supply, and the supply fits its word.
    function _create(address to, uint256 amount6, uint256 supply6) private {
        Account storage receiver = _accounts[to];
        uint256 to6 = _unblocked(receiver, to);
        require(amount6 <= MAX_AMOUNT6 - supply6, SupplyTooLarge(supply6, amount6, MAX_AMOUNT6));

        unchecked {
            _supplyWord = supply6 + amount6;
            receiver.word = to6 + amount6;
        }
    }

    /// @dev Unchecked: the amount does not exceed the balance, nor the balance the supply.
    function _destroy(address from, uint256 amount6, uint256 supply6) private {
        Account storage sender = _accounts[from];
        uint256 from6 = _unblocked(sender, from);
        require(amount6 <= from6, ERC20InsufficientBalance(from, from6, amount6));

        unchecked {
            sender.word = from6 - amount6;
            _supplyWord = supply6 - amount6;
        }
    }

    /// @dev Unchecked: the amount does not exceed the balance, and two balances together do not exceed the supply.
    function _move(address from, address to, uint256 amount6) private {
        Account storage sender = _accounts[from];
        Account storage receiver = _accounts[to];
        uint256 from6 = _unblocked(sender, from);
        uint256 to6 = _unblocked(receiver, to);
        require(amount6 <= from6, ERC20InsufficientBalance(from, from6, amount6));
        if (from == to) return;

        unchecked {
            sender.word = from6 - amount6;
            receiver.word = to6 + amount6;
        }
    }

    /// @dev Seconds and nothing else; the base would read a pair of very large values as block numbers.
    function _checkValidity(uint256 validAfter, uint256 validBefore) internal view override {
        require(
            block.timestamp > validAfter && block.timestamp < validBefore,
            ERC3009InvalidAuthorizationTime(validAfter, validBefore)
        );
    }

    function _requireSigned(address owner, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        require(SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature), ERC3009InvalidSignature());
    }

    function _requireReserve(uint256 amount6) private view {
        IReserveFeed feed = reserveFeed;
        if (address(feed) == address(0)) return;
        IReserveFeed.Attestation memory count = feed.latestAttestation();
        require(block.timestamp <= count.expiresAt, ReserveExpired(count.expiresAt, block.timestamp));
        uint256 supply6 = totalSupply();
        require(
            supply6 <= count.amount6 && amount6 <= count.amount6 - supply6,
            ReserveExceeded(supply6, amount6, count.amount6)
        );
    }

    /// @dev The balance of an account that is not blocked: with the flag down, the word is the balance.
    function _unblocked(Account storage holder, address account) private view returns (uint256 amount6) {
        amount6 = holder.word;
        require(amount6 & FLAG == 0, AccountBlocked(account));
    }

    function _flagged(uint256 word, bool raised) private pure returns (uint256) {
        return raised ? word | FLAG : word & ~FLAG;
    }
}
