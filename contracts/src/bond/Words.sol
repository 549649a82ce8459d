// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a bond keeps of one wallet, in one storage word.
/// @dev | bits    | field             | meaning                                                        |
///      | 0-127   | `units`           | units held (1e0)                                               |
///      | 128-151 | `epoch`           | record dates that were over at the last change of the units    |
///      | 152-175 | `pastEpoch`       | key of the newest entry of the wallet's past, 0 for none       |
///      | 176-183 | flags             | see TransferControl                                            |
///      | 184-247 | passport          | see Passport; copied from the registry                         |
///      | 248-255 | `identityVersion` | number of the registry that the passport is from               |
type Account is uint256;

/// @notice What every transfer of a bond reads, in one storage word: record dates and rules.
/// @dev | bits    | field             | meaning                                      |
///      | 0-23    | `recordDateCount` | record dates declared                        |
///      | 24-63   | `lastRecordTime`  | the last of them (UTC seconds)               |
///      | 64-103  | `priorRecordTime` | the one before it (UTC seconds)              |
///      | 104-127 | `holderCount`     | wallets with units                           |
///      | 128-151 | `maxHolders`      | see ITransferControl.Rules, 0 is off         |
///      | 152-175 | `minLotUnits`     | likewise                                     |
///      | 176-215 | `lockedUntil`     | likewise                                     |
///      | 216-231 | `classMask`       | likewise                                     |
///      | 232-239 | switches          | see TransferControl                          |
///      | 240-247 | `identityVersion` | number of the registry in force, 0 for none  |
type Common is uint256;

using {
    units,
    epoch,
    pastEpoch,
    has,
    investorClass,
    country,
    validUntil,
    version,
    withUnits,
    withEpoch,
    withFlag,
    withPassport,
    asPast
} for Account global;
using {
    recordDateCount,
    lastRecordTime,
    priorRecordTime,
    holderCount,
    maxHolders,
    minLotUnits,
    lockedUntil,
    classMask,
    isOn,
    identityVersion,
    withRecordDate,
    withHolderCount,
    withRules,
    withSwitch,
    withIdentityVersion
} for Common global;

/* ACCOUNT. Casts cut a field out of the word. */

// forge-lint: disable-start(unsafe-typecast)
function units(Account a) pure returns (uint256) {
    return uint128(Account.unwrap(a));
}

function epoch(Account a) pure returns (uint256) {
    return uint24(Account.unwrap(a) >> 128);
}

function pastEpoch(Account a) pure returns (uint256) {
    return uint24(Account.unwrap(a) >> 152);
}

function has(Account a, uint256 flags) pure returns (bool) {
    return Account.unwrap(a) >> 176 & flags != 0;
}

function investorClass(Account a) pure returns (uint256) {
    return uint8(Account.unwrap(a) >> 184);
}

function country(Account a) pure returns (uint256) {
    return uint16(Account.unwrap(a) >> 192);
}

function validUntil(Account a) pure returns (uint256) {
    return uint40(Account.unwrap(a) >> 208);
}

function version(Account a) pure returns (uint256) {
    return Account.unwrap(a) >> 248;
}

/// @dev The caller has checked that the units fit.
function withUnits(Account a, uint256 units_) pure returns (Account) {
    return Account.wrap(Account.unwrap(a) >> 128 << 128 | units_);
}

function withEpoch(Account a, uint256 epoch_, uint256 pastEpoch_) pure returns (Account) {
    uint256 rest = Account.unwrap(a) & ~(uint256(type(uint48).max) << 128);
    return Account.wrap(rest | epoch_ << 128 | pastEpoch_ << 152);
}

function withFlag(Account a, uint256 flag, bool on) pure returns (Account) {
    uint256 bit = flag << 176;
    return Account.wrap(on ? Account.unwrap(a) | bit : Account.unwrap(a) & ~bit);
}

function withPassport(Account a, uint256 passport, uint256 version_) pure returns (Account) {
    return Account.wrap(uint184(Account.unwrap(a)) | uint256(uint64(passport)) << 184 | version_ << 248);
}

/// @dev An entry of the past is the word as it stood, without flags and passport.
function asPast(Account a) pure returns (Account) {
    return Account.wrap(uint176(Account.unwrap(a)));
}

/* COMMON */

function recordDateCount(Common c) pure returns (uint256) {
    return uint24(Common.unwrap(c));
}

function lastRecordTime(Common c) pure returns (uint256) {
    return uint40(Common.unwrap(c) >> 24);
}

function priorRecordTime(Common c) pure returns (uint256) {
    return uint40(Common.unwrap(c) >> 64);
}

function holderCount(Common c) pure returns (uint256) {
    return uint24(Common.unwrap(c) >> 104);
}

function maxHolders(Common c) pure returns (uint256) {
    return uint24(Common.unwrap(c) >> 128);
}

function minLotUnits(Common c) pure returns (uint256) {
    return uint24(Common.unwrap(c) >> 152);
}

function lockedUntil(Common c) pure returns (uint256) {
    return uint40(Common.unwrap(c) >> 176);
}

function classMask(Common c) pure returns (uint256) {
    return uint16(Common.unwrap(c) >> 216);
}

function isOn(Common c, uint256 switches) pure returns (bool) {
    return Common.unwrap(c) >> 232 & switches != 0;
}

function identityVersion(Common c) pure returns (uint256) {
    return uint8(Common.unwrap(c) >> 240);
}
// forge-lint: disable-end(unsafe-typecast)

/// @dev The caller has checked that both fit.
function withRecordDate(Common c, uint256 count, uint256 recordTime) pure returns (Common) {
    uint256 rest = Common.unwrap(c) >> 104 << 104;
    return Common.wrap(rest | count | recordTime << 24 | lastRecordTime(c) << 64);
}

function withHolderCount(Common c, uint24 count) pure returns (Common) {
    return Common.wrap(Common.unwrap(c) & ~(uint256(type(uint24).max) << 104) | uint256(count) << 104);
}

function withRules(Common c, uint24 maxHolders_, uint24 minLotUnits_, uint40 lockedUntil_, uint16 classMask_)
    pure
    returns (Common)
{
    uint256 rest = Common.unwrap(c) & ~(uint256(type(uint104).max) << 128);
    return Common.wrap(
        rest | uint256(maxHolders_) << 128 | uint256(minLotUnits_) << 152 | uint256(lockedUntil_) << 176
            | uint256(classMask_) << 216
    );
}

function withSwitch(Common c, uint256 switch_, bool on) pure returns (Common) {
    uint256 bit = switch_ << 232;
    return Common.wrap(on ? Common.unwrap(c) | bit : Common.unwrap(c) & ~bit);
}

function withIdentityVersion(Common c, uint8 version_) pure returns (Common) {
    return Common.wrap(Common.unwrap(c) & ~(uint256(type(uint8).max) << 240) | uint256(version_) << 240);
}
