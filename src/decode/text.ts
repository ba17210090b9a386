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

const ICMP_ERRORS: Readonly<Record<string, string>> = {
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

/** `11/0 (time exceeded)`. */
export function icmpText(type: string, code: string): string {
  const name = ICMP_ERRORS[`${type}/${code}`];
  return name === undefined ? `${type}/${code}` : `${type}/${code} (${name})`;
}
