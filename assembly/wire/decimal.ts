/**
 * Numbers as text.
 *
 * @module
 */
const DIGIT_0: u32 = 48;
const LETTER_A: u32 = 97;

/** Decimal digits of a number. */
export function digitsOf(number: u32): u32 {
  let digits: u32 = 1;
  for (let rest = number / 10; rest != 0; rest /= 10) digits++;
  return digits;
}

/** Writes a number in decimal; where it ends. */
export function writeNumber(at: usize, number: u32): usize {
  const end = at + digitsOf(number);
  let rest = number;
  for (let p = end - 1; p >= at; p--, rest /= 10) store<u8>(p, DIGIT_0 + (rest % 10));
  return end;
}

/** Hexadecimal digits of a number of 16 bits. */
export function hexDigitsOf(number: u32): u32 {
  return number == 0 ? 1 : (35 - clz<u32>(number)) >> 2;
}

/** Writes a number of 16 bits in hexadecimal; where it ends. */
export function writeHex(at: usize, number: u32): usize {
  const end = at + hexDigitsOf(number);
  let rest = number;
  for (let p = end - 1; p >= at; p--, rest >>= 4) {
    const digit = rest & 15;
    store<u8>(p, digit < 10 ? DIGIT_0 + digit : LETTER_A - 10 + digit);
  }
  return end;
}
