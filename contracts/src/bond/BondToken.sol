// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC6372} from "@openzeppelin/contracts/interfaces/IERC6372.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

import {IAssetPledges} from "../interfaces/IAssetPledges.sol";
import {IBondFacts, IBondToken} from "../interfaces/IBondToken.sol";
import {IERC1404} from "../interfaces/IERC1404.sol";
import {IERC1643} from "../interfaces/IERC1643.sol";
import {IERC3643Reader} from "../interfaces/IERC3643Reader.sol";
import {IERC5679Ext20} from "../interfaces/IERC5679.sol";
import {IERC7943Fungible} from "../interfaces/IERC7943Fungible.sol";
import {IHoldable} from "../interfaces/IHoldable.sol";
import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {IRecordDates} from "../interfaces/IRecordDates.sol";
import {FROZEN, RECOVERED, TransferControl} from "./TransferControl.sol";
import {UnitHolds} from "./UnitHolds.sol";
import {UnitRegister} from "./UnitRegister.sol";
import {Account} from "./Words.sol";

uint256 constant MAX_DOCUMENTS = 64;

/// @title BondToken
/// @notice A bond: immutable terms, a register with record dates, transfer rules, holds, and enforcement.
///
/// READ IN THIS ORDER. UnitRegister (balances and record dates), TransferControl (rules), UnitHolds (holds), this file.
/// LIFE. mint -> transfer (by DvP) -> record date, coupon -> principal written down by the pool factor outside this
/// contract; units stay -> burn when repaid.
/// RECOVERY. A lost wallet's units, freezes, holds and unclaimed coupons pass to the new wallet, and the lost one is
/// closed. Allowances do not pass.
/// ENFORCEMENT. A forced transfer asks only whether the recipient may receive; it thaws what it needs and never touches
/// units on hold: the enforcer releases the hold first.
/// ROLES. Admin grants roles. Issuer creates units and keeps the documents. Retirer burns repaid ones. Registrar of
/// record dates declares them. Rules and Enforcer: see TransferControl.
contract BondToken is IBondToken, IBondFacts, IERC3643Reader, IERC1643, UnitHolds {
    struct Document {
        string uri;
        bytes32 documentHash;
        uint256 lastModified; // [UTC seconds]
    }

    bytes32 public constant ISSUER_ROLE = keccak256("ISSUER_ROLE");
    bytes32 public constant RETIRER_ROLE = keccak256("RETIRER_ROLE");
    bytes32 public constant RECORD_ROLE = keccak256("RECORD_ROLE");

    Terms private _terms;
    bytes32[] private _documentNames;
    mapping(bytes32 name => Document) private _documents;

    /// @param name_ Name shown and hashed into the permit domain.
    /// @param symbol_ Ticker.
    /// @param terms_ Immutable terms.
    /// @param admin Account that grants the roles.
    constructor(string memory name_, string memory symbol_, Terms memory terms_, address admin)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
    {
        require(terms_.faceUsd6 > 0, InvalidTerms("faceUsd6", terms_.faceUsd6, 1));
        require(terms_.rateWad <= 1e18, InvalidTerms("rateWad", terms_.rateWad, 1e18));
        require(terms_.periodCount > 0, InvalidTerms("periodCount", terms_.periodCount, 1));
        require(
            terms_.maturityTime > terms_.issueTime,
            InvalidTerms("maturityTime", terms_.maturityTime, terms_.issueTime)
        );

        _terms = terms_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /* UNITS */

    /// @inheritdoc IERC5679Ext20
    function mint(address to, uint256 units, bytes calldata) external onlyRole(ISSUER_ROLE) {
        address registry = _terms.assetRegistry;
        if (registry != address(0)) IAssetPledges(registry).requirePledged(_terms.assetId, address(this));

        _mint(to, units);
    }

    /// @inheritdoc IERC5679Ext20
    function burn(address from, uint256 units, bytes calldata) external onlyRole(RETIRER_ROLE) {
        _requireTakeable(from, units);

        _thawFor(from, units);
        _burn(from, units);
    }

    /// @inheritdoc IRecordDates
    function declareRecordDate(uint256 recordTime) external onlyRole(RECORD_ROLE) returns (uint256 recordId) {
        return _declareRecordDate(recordTime);
    }

    /// @inheritdoc IBondToken
    function entitlementsAt(uint256 recordId, address[] calldata holders)
        external
        view
        returns (uint256[] memory units, address[] memory payees)
    {
        _requirePassed(recordId);

        units = new uint256[](holders.length);
        payees = new address[](holders.length);
        for (uint256 i = 0; i < holders.length; ++i) {
            address holder = holders[i];
            Account account = _accounts[holder];
            units[i] = _unitsAt(recordId, holder, account);
            bool isPayable = true;
            if (account.has(FROZEN | RECOVERED)) (holder, isPayable) = payeeOf(holder);
            if (isPayable) payees[i] = holder;
        }
    }

    /// @inheritdoc IBondToken
    function payeeOf(address holder) public view returns (address payee, bool isPayable) {
        payee = _successorOf(holder);
        isPayable = !isFrozen(payee);
    }

    /// @inheritdoc IBondToken
    function investorClassOf(address wallet) external view returns (uint8) {
        // forge-lint: disable-next-line(unsafe-typecast) -- the field has this width
        return uint8(_stamped(wallet, _common).investorClass());
    }

    /* ENFORCEMENT */

    /// @inheritdoc IERC7943Fungible
    function forcedTransfer(address from, address to, uint256 units)
        external
        onlyRole(ENFORCER_ROLE)
        returns (bool)
    {
        require(from != address(0), ERC20InvalidSender(from));
        require(to != address(0), ERC20InvalidReceiver(to));
        require(canReceive(to), ERC7943CannotReceive(to));
        _requireTakeable(from, units);

        if (from == to) {
            emit Transfer(from, to, units);
        } else {
            _thawFor(from, units);
            _moveFreely(from, to, units);
        }

        emit ForcedTransfer(from, to, units);
        return true;
    }

    /// @inheritdoc IERC7943Fungible
    function setFrozenTokens(address account, uint256 units) external onlyRole(ENFORCER_ROLE) returns (bool) {
        _setFrozenUnits(account, units);

        return true;
    }

    /// @inheritdoc IERC3643Reader
    function setAddressFrozen(address account, bool freeze) external onlyRole(ENFORCER_ROLE) {
        _requireNotRecovered(account);

        _setFlag(account, FROZEN, freeze);

        emit AddressFrozen(account, freeze, msg.sender);
    }

    /// @inheritdoc IERC3643Reader
    function freezePartialTokens(address account, uint256 units) external onlyRole(ENFORCER_ROLE) {
        _setFrozenUnits(account, getFrozenTokens(account) + units);
    }

    /// @inheritdoc IERC3643Reader
    function unfreezePartialTokens(address account, uint256 units) external onlyRole(ENFORCER_ROLE) {
        uint256 frozenUnits = getFrozenTokens(account);
        require(units <= frozenUnits, NotEnoughFrozen(account, units, frozenUnits));

        _setFrozenUnits(account, frozenUnits - units);
    }

    /// @inheritdoc IERC3643Reader
    function recoveryAddress(address lostWallet, address newWallet, address investorIdentity)
        external
        onlyRole(ENFORCER_ROLE)
        returns (bool)
    {
        require(lostWallet != address(0), ERC20InvalidSender(lostWallet));
        require(newWallet != address(0), ERC20InvalidReceiver(newWallet));
        require(lostWallet != newWallet, SameWallet(lostWallet));
        _requireNotRecovered(lostWallet);
        _requireNotRecovered(newWallet);
        _requireSameInvestor(lostWallet, newWallet, investorIdentity);
        require(canReceive(newWallet), ERC7943CannotReceive(newWallet));

        uint256 units = balanceOf(lostWallet);
        uint256 frozenUnits = getFrozenTokens(lostWallet);
        bool wasFrozen = isFrozen(lostWallet);
        _succeed(lostWallet, newWallet);
        if (frozenUnits > 0) {
            _setFrozenUnits(lostWallet, 0);
            _setFrozenUnits(newWallet, getFrozenTokens(newWallet) + frozenUnits);
        }

        _moveFreely(lostWallet, newWallet, units);
        if (wasFrozen) {
            _setFlag(newWallet, FROZEN, true);
            emit AddressFrozen(newWallet, true, msg.sender);
        }

        emit RecoverySuccess(lostWallet, newWallet, investorIdentity);
        return true;
    }

    /* DOCUMENTS */

    /// @inheritdoc IERC1643
    function setDocument(bytes32 name_, string calldata uri, bytes32 documentHash) external onlyRole(ISSUER_ROLE) {
        Document storage document = _documents[name_];
        if (document.lastModified == 0) {
            require(_documentNames.length < MAX_DOCUMENTS, TooManyDocuments(MAX_DOCUMENTS + 1, MAX_DOCUMENTS));
            _documentNames.push(name_);
        }
        document.uri = uri;
        document.documentHash = documentHash;
        document.lastModified = block.timestamp;

        emit DocumentUpdated(name_, uri, documentHash);
    }

    /// @inheritdoc IERC1643
    function removeDocument(bytes32 name_) external onlyRole(ISSUER_ROLE) {
        Document storage document = _documents[name_];
        require(document.lastModified > 0, NoDocument(name_));
        uint256 last = _documentNames.length - 1;
        for (uint256 i = 0; i < last; ++i) {
            if (_documentNames[i] == name_) _documentNames[i] = _documentNames[last];
        }
        _documentNames.pop();

        emit DocumentRemoved(name_, document.uri, document.documentHash);

        delete _documents[name_];
    }

    /// @inheritdoc IERC1643
    function getDocument(bytes32 name_)
        external
        view
        returns (string memory uri, bytes32 documentHash, uint256 lastModified)
    {
        Document storage document = _documents[name_];
        return (document.uri, document.documentHash, document.lastModified);
    }

    /// @inheritdoc IERC1643
    function getAllDocuments() external view returns (bytes32[] memory names) {
        return _documentNames;
    }

    /* FACTS */

    /// @inheritdoc IBondToken
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @inheritdoc IERC3643Reader
    function isFrozen(address account) public view returns (bool) {
        return _isFlagged(account, FROZEN);
    }

    /// @inheritdoc IERC3643Reader
    function compliance() external view returns (address) {
        return address(this);
    }

    function isin() external view returns (string memory) {
        return _terms.isin;
    }

    function currency() external view returns (address) {
        return _terms.currency;
    }

    function currencyOfCoupon() external view returns (address) {
        return _terms.currency;
    }

    function denomination() external view returns (uint256) {
        return _terms.faceUsd6;
    }

    function issueVolume() external view returns (uint256) {
        return totalSupply() * _terms.faceUsd6;
    }

    function couponRate() external view returns (uint256) {
        return _terms.rateWad;
    }

    function issueDate() external view returns (uint256) {
        return _terms.issueTime;
    }

    function maturityDate() external view returns (uint256) {
        return _terms.maturityTime;
    }

    function principalOf(address account) external view returns (uint256) {
        return balanceOf(account) * _terms.faceUsd6;
    }

    function couponType() external view returns (uint8) {
        return uint8(_terms.couponType);
    }

    function couponFrequency() external view returns (uint256) {
        return _terms.couponFrequency;
    }

    function dayCountBasis() external view returns (uint8) {
        return uint8(_terms.dayCount);
    }

    /// @notice Seconds: record dates are timestamps.
    function clock() external view returns (uint48) {
        return Time.timestamp();
    }

    /// @notice ERC-6372 description of the clock.
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() external pure returns (string memory) {
        return "mode=timestamp";
    }

    /// @notice Zero: a bond is a whole unit.
    function decimals() public pure override returns (uint8) {
        return 0;
    }

    /// @notice ERC-165: each id listed here is answered in full.
    function supportsInterface(bytes4 id) public view override(AccessControl, IERC165) returns (bool) {
        return id == type(IERC7943Fungible).interfaceId || id == type(IERC20).interfaceId
            || id == type(IERC20Permit).interfaceId || id == type(IERC5267).interfaceId
            || id == type(IERC6372).interfaceId || id == type(IERC5679Ext20).interfaceId
            || id == type(IERC1404).interfaceId || id == type(IERC1643).interfaceId
            || id == type(IHoldable).interfaceId || super.supportsInterface(id);
    }

    function balanceOf(address holder) public view override(IERC20, UnitRegister) returns (uint256) {
        return UnitRegister.balanceOf(holder);
    }

    function totalSupply() public view override(IERC20, UnitRegister) returns (uint256) {
        return UnitRegister.totalSupply();
    }

    function transferFrom(address from, address to, uint256 units)
        public
        override(IERC20, TransferControl)
        returns (bool)
    {
        return TransferControl.transferFrom(from, to, units);
    }

    function identityRegistry() public view override(IERC3643Reader, TransferControl) returns (address) {
        return TransferControl.identityRegistry();
    }

    /// @dev Neither burning nor force takes units that were promised.
    function _requireTakeable(address from, uint256 units) private view {
        uint256 balance = balanceOf(from);
        require(balance >= units, ERC20InsufficientBalance(from, balance, units));
        uint256 netUnits = balance - balanceOnHold(from);
        require(netUnits >= units, ERC7943InsufficientUnfrozenBalance(from, units, netUnits));
    }

    function _requireNotRecovered(address wallet) private view {
        address successor = _successorOf(wallet);
        require(successor == wallet, AlreadyRecovered(wallet, successor));
    }

    function _requireSameInvestor(address lostWallet, address newWallet, address investorIdentity) private view {
        address registry = identityRegistry();
        if (registry == address(0)) return;
        address lost = IIdentityRegistry(registry).identity(lostWallet);
        require(lost == investorIdentity, IdentityMismatch(lostWallet, lost, investorIdentity));
        address found = IIdentityRegistry(registry).identity(newWallet);
        require(found == investorIdentity, IdentityMismatch(newWallet, found, investorIdentity));
    }
}
