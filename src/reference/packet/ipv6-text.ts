/**
 * IPv6 addresses as text (RFC 4291 §2.2, RFC 5952).
 *
 * @module
 */

/**
 * Any form of RFC 4291 §2.2: eight groups, `::` once for one or more groups of zeros, a dotted quad for the last two.
 *
 * @throws RangeError when it is none of them; zones (`fe80::1%eth0`) are refused
 */
export function parseIpv6Address(text: string): bigint {
  const [head = '', tail, ...more] = text.split('::');
  const front = readGroups(head, tail === undefined);
  const back = readGroups(tail ?? '', true);
  const missing = 8 - (front ?? []).length - (back ?? []).length;
  const fits = tail === undefined ? missing === 0 : missing > 0;
  if (front === undefined || back === undefined || more.length > 0 || !fits) {
    throw new RangeError(`expected an IPv6 address, got ${text}`);
  }
  return [...front, ...new Array<number>(missing).fill(0), ...back].reduce(
    (address, group) => (address << 16n) | BigInt(group),
    0n,
  );
}

/** Groups between colons; `undefined` when malformed. A dotted quad may end the address, nothing else. */
function readGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (endsAddress && i === parts.length - 1 && part.includes('.')) {
      const quad = part.split('.');
      if (quad.length !== 4 || quad.some((byte) => !/^(0|[1-9]\d{0,2})$/.test(byte) || Number(byte) > 255)) {
        return undefined;
      }
      const [a = 0, b = 0, c = 0, d = 0] = quad.map(Number);
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/**
 * Lower case, no leading zeros, the first of the longest runs of two or more zero groups as `::` (RFC 5952 §4); the
 * dotted quad only for IPv4-mapped addresses (§5).
 */
export function formatIpv6(address: bigint): string {
  const groups = Array.from({ length: 8 }, (_, i) => Number((address >> BigInt(112 - 16 * i)) & 0xffffn));
  if (address >> 32n === 0xffffn) {
    const [high = 0, low = 0] = groups.slice(6);
    return `::ffff:${[high >>> 8, high & 255, low >>> 8, low & 255].join('.')}`;
  }
  const { start, length } = longestRunOfZeros(groups);
  const words = groups.map((group) => group.toString(16));
  if (length < 2) return words.join(':');
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`;
}

function longestRunOfZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length += 1;
    if (length > longest.length) longest = { start, length };
  }
  return longest;
}
