/**
 * SipHash (Aumasson and Bernstein, 2012) with one round a word and three at the end.
 *
 * @module
 */

/** SipHash-1-3 of `message` under the key of two words. */
export function siphash13(message: Uint8Array, key: readonly [bigint, bigint]): bigint {
  // §2.1: "somepseudorandomlygeneratedbytes"
  let state: State = [
    key[0] ^ 0x736f6d6570736575n,
    key[1] ^ 0x646f72616e646f6dn,
    key[0] ^ 0x6c7967656e657261n,
    key[1] ^ 0x7465646279746573n,
  ];
  for (const word of words(message)) {
    state[3] ^= word;
    state = round(state);
    state[0] ^= word;
  }
  state[2] ^= 0xffn;
  for (let i = 0; i < 3; i++) state = round(state);
  return state[0] ^ state[1] ^ state[2] ^ state[3];
}

type State = [bigint, bigint, bigint, bigint];

/** §2.2: little-endian words of eight bytes; the last byte of the last one is the length. */
function words(message: Uint8Array): bigint[] {
  const padded = new Uint8Array((Math.floor(message.length / 8) + 1) * 8);
  padded.set(message);
  padded[padded.length - 1] = message.length;
  const view = new DataView(padded.buffer);
  return Array.from({ length: padded.length / 8 }, (_, i) => view.getBigUint64(i * 8, true));
}

/** §2.3, figure 2.1. */
function round([v0, v1, v2, v3]: State): State {
  const a = add(v0, v1);
  const b = rotate(v1, 13n) ^ a;
  const c = add(v2, v3);
  const d = rotate(v3, 16n) ^ c;
  const e = add(c, b);
  const f = add(rotate(a, 32n), d);
  return [f, rotate(b, 17n) ^ e, rotate(e, 32n), rotate(d, 21n) ^ f];
}

function add(a: bigint, b: bigint): bigint {
  return BigInt.asUintN(64, a + b);
}

function rotate(word: bigint, bits: bigint): bigint {
  return BigInt.asUintN(64, word << bits) | (word >> (64n - bits));
}
