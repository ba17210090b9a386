/**
 * CRC32c (RFC 9260 §A), sixteen bytes a step: each byte of a step has a table of its own, of what it makes of the CRC once
 * the rest of the step has gone through (docs/decisions/0004-crc32c.md). The tables live in memory, not in the binary.
 *
 * @module
 */
/** 0x1edc6f41 with its bits the other way round: the lowest bit is the highest power. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** A table of 256 × u32 for each of the sixteen bytes. */
const TABLE_SIZE: u32 = 1024;
const TABLES_SIZE: u32 = 16 * TABLE_SIZE;

/** CRC32c of `length` bytes at `address`. The 16 KiB at `tables` are filled when they are all 0. */
export function crc32c(address: usize, length: u32, tables: usize): u32 {
  // The word written last; it is never 0.
  if (load<u32>(tables, TABLES_SIZE - 4) == 0) fillTables(tables);
  let crc: u32 = 0xffffffff;
  let p = address;
  let left = length;
  for (; left >= 16; left -= 16, p += 16) {
    const words = word(tables, 12, crc ^ load<u32>(p)) ^ word(tables, 8, load<u32>(p, 4));
    crc = words ^ word(tables, 4, load<u32>(p, 8)) ^ word(tables, 0, load<u32>(p, 12));
  }
  for (; left >= 4; left -= 4, p += 4) crc = word(tables, 0, crc ^ load<u32>(p));
  for (; left > 0; left--, p++) crc = (crc >> 8) ^ entry(tables, 0, crc ^ <u32>load<u8>(p));
  return ~crc;
}

/** What `value` makes of the CRC when `behind` bytes of the step come after its four. */
function word(tables: usize, behind: u32, value: u32): u32 {
  return (
    entry(tables, behind + 3, value) ^
    entry(tables, behind + 2, value >> 8) ^
    entry(tables, behind + 1, value >> 16) ^
    entry(tables, behind, value >> 24)
  );
}

/** What the low byte of `value` makes of the CRC when `behind` bytes come after it. */
function entry(tables: usize, behind: u32, value: u32): u32 {
  return load<u32>(tables + behind * TABLE_SIZE + ((value & 0xff) << 2));
}

function fillTables(tables: usize): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    store<u32>(tables + (byte << 2), crc);
  }
  // One more byte behind: a byte of 0 goes through.
  for (let at = tables + TABLE_SIZE; at < tables + TABLES_SIZE; at += 4) {
    const crc = load<u32>(at - TABLE_SIZE);
    store<u32>(at, (crc >> 8) ^ entry(tables, 0, crc));
  }
}
