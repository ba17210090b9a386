/**
 * Bytes as people write them.
 *
 * @module
 */

/** Two bytes, big endian; bytes beyond the end count as 0. */
export function readU16(frame: Uint8Array, at: number): number {
  return ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
}

/** Up to four bytes, big endian, unsigned. */
export function readUint(frame: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (frame[at + i] ?? 0);
  return value;
}

/** `0a000064`; at most 48 bytes, then `…`. */
export function hexText(frame: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let i = 0; i < Math.min(length, 48); i++) text += hexByte(frame[at + i] ?? 0);
  return length > 48 ? `${text}…` : text;
}

/** Two digits. */
export function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** `10.0.0.100`. */
export function addressText(frame: Uint8Array, at: number): string {
  return `${frame[at] ?? 0}.${frame[at + 1] ?? 0}.${frame[at + 2] ?? 0}.${frame[at + 3] ?? 0}`;
}

/** `fd00::100`, as RFC 5952 wants it. */
export function address6Text(frame: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(readU16(frame, at + i));
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  // The first of the longest runs of two and more zeros is left out (§4.2).
  let [start, length] = [0, 1];
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (groups[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  if (length < 2) return hex(0, 8);
  // §5: an IPv4-mapped address ends in a dotted quad.
  if (start === 0 && length === 5 && groups[5] === 0xffff) return `::ffff:${addressText(frame, at + 12)}`;
  return `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** `02:00:00:00:00:01`. */
export function macText(frame: Uint8Array, at: number): string {
  const parts: string[] = [];
  for (let i = 0; i < 6; i++) parts.push(hexByte(frame[at + i] ?? 0));
  return parts.join(':');
}

const TCP_FLAGS = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C', 'N'];

/** `[SA]`, `[]`; reserved bits as a number after the letters. */
export function tcpFlagsText(bits: number): string {
  const letters = TCP_FLAGS.filter((_, i) => bits & (1 << i)).join('');
  return bits >> 9 ? `[${letters}+${bits >> 9}]` : `[${letters}]`;
}

const ICMP_NAMES: Readonly<Record<string, string>> = {
  '0/0': 'echo reply',
  '3/0': 'net unreachable',
  '3/1': 'host unreachable',
  '3/2': 'protocol unreachable',
  '3/3': 'port unreachable',
  '3/4': 'fragmentation needed',
  '8/0': 'echo request',
  '11/0': 'time exceeded',
  '11/1': 'reassembly time exceeded',
  '12/0': 'parameter problem',
};

const ICMP6_NAMES: Readonly<Record<string, string>> = {
  '1/0': 'no route',
  '1/1': 'prohibited',
  '1/3': 'address unreachable',
  '1/4': 'port unreachable',
  '2/0': 'packet too big',
  '3/0': 'time exceeded',
  '3/1': 'reassembly time exceeded',
  '4/0': 'parameter problem',
  '4/1': 'unknown next header',
  '4/2': 'unknown option',
  '128/0': 'echo request',
  '129/0': 'echo reply',
  '133/0': 'router solicitation',
  '134/0': 'router advertisement',
  '135/0': 'neighbour solicitation',
  '136/0': 'neighbour advertisement',
  '137/0': 'redirect',
  '143/0': 'multicast listener report',
};

/** `11/0 (time exceeded)`; `version`: 4 for ICMP, 6 for ICMPv6. */
export function icmpText(type: string, code: string, version: 4 | 6 = 4): string {
  const name = (version === 4 ? ICMP_NAMES : ICMP6_NAMES)[`${type}/${code}`];
  return name === undefined ? `${type}/${code}` : `${type}/${code} (${name})`;
}
