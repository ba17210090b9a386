/**
 * CRC32c (RFC 9260 §A) of bytes outside of the core's memory, eight a step.
 *
 * @module
 */

/** 0x1edc6f41 with its bits the other way round. */
const POLYNOMIAL = 0x82f63b78;
const STEP = 8;

/** A table of 256 for each byte of a step: what it makes of the CRC once the rest of the step has gone through. */
function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const crc = tables[i - 256]!;
    tables[i] = (crc >>> 8) ^ tables[crc & 0xff]!;
  }
  return tables;
}

let made: Int32Array | undefined;

/** CRC32c of bytes. */
export function crc32c(bytes: Uint8Array): number {
  made ??= makeTables();
  const t = made;
  let crc = -1;
  let at = 0;
  // Words are read where they are aligned; the machine is little-endian, as the core's memory is.
  if ((bytes.byteOffset & 3) === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, (bytes.length >>> 3) * 2);
    for (let i = 0; i < words.length; i += 2) {
      const a = crc ^ words[i]!;
      const b = words[i + 1]!;
      crc =
        t[1792 + (a & 0xff)]! ^
        t[1536 + ((a >>> 8) & 0xff)]! ^
        t[1280 + ((a >>> 16) & 0xff)]! ^
        t[1024 + (a >>> 24)]! ^
        t[768 + (b & 0xff)]! ^
        t[512 + ((b >>> 8) & 0xff)]! ^
        t[256 + ((b >>> 16) & 0xff)]! ^
        t[b >>> 24]!;
    }
    at = words.length * 4;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}
