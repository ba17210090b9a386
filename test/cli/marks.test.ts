/** Firewall marks by match rules. */
import { expect, it } from 'vitest';
import { Marks } from '../../src/cli/marks.js';
import { ethernet, hex, packet, tcp, udp } from '../support/packets.js';

const NETWORK = {
  interfaces: [
    { name: 'cli', mac: '02:00:00:00:00:01', addresses: ['10.0.0.1/24'] },
    { name: 'tun0', kind: 'raw' },
  ],
} as const;
const ENDS = { source: '10.2.0.9', destination: '10.0.0.100', sport: 1000, dport: 80 };
const ENDS6 = { source: 'fd00::9', destination: 'fd00:1::100', sport: 1000, dport: 80 };

/** The mark of a packet that `cli` receives, behind bytes that are not its own, as in a window. */
function mark(rules: readonly string[], bytes: Uint8Array): number {
  const frame = ethernet('020000000001', '020000000002', bytes, bytes[0]! >> 4 === 6 ? 0x86dd : 0x0800);
  const window = Buffer.concat([Buffer.alloc(7, 0x45), frame, Buffer.alloc(5, 0x45)]);
  return new Marks(rules, NETWORK).of(window, 7, 7 + frame.length, 0);
}

it.each([
  ['10.0.0.0/8 tcp 80-443 = 7', tcp(ENDS), 7],
  ['10.0.0.0/8 tcp 80-443=0x7', tcp(ENDS), 7],
  ['10.0.0.0/8 tcp 81-443 = 7', tcp(ENDS), 0],
  ['10.0.0.0/8 tcp 1-79 = 7', tcp(ENDS), 0],
  ['10.0.0.0/8 tcp 80 = 7', tcp(ENDS), 7],
  ['10.0.0.0/8 udp 80 = 7', tcp(ENDS), 0],
  ['udp = 7', udp(ENDS), 7],
  ['10.0.0.100 = 7', udp(ENDS), 7],
  ['10.0.0.101 = 7', udp(ENDS), 0],
  ['from 10.2.0.0/16 = 4294967295', tcp(ENDS), 0xffffffff],
  ['from 10.3.0.0/16 = 7', tcp(ENDS), 0],
  ['cli from 10.2.0.0/16 10.0.0.0/24 tcp 80 = 7', tcp(ENDS), 7],
  ['tun0 from 10.2.0.0/16 10.0.0.0/24 tcp 80 = 7', tcp(ENDS), 0],
  ['tun0 = 7', tcp(ENDS), 0],
  ['cli = 7', hex('45'), 7],
  ['tcp = 7', hex('45'), 0],
  ['fd00:1::/64 tcp 80 = 7', tcp(ENDS6), 7],
  ['fd00:2::/64 tcp 80 = 7', tcp(ENDS6), 0],
  ['from fd00::/64 = 7', tcp(ENDS6), 7],
  ['0.0.0.0/0 = 7', tcp(ENDS6), 0],
  ['::/0 = 7', tcp(ENDS6), 7],
])('%s', (rule, bytes, expected) => {
  expect(mark([rule], bytes)).toBe(expected);
});

it('is that of the first rule that matches', () => {
  expect(mark(['tcp 443 = 1', '10.0.0.0/8 = 2', 'tcp = 3'], tcp(ENDS))).toBe(2);
  expect(mark(['tcp 80 = 0', 'cli = 2'], tcp(ENDS))).toBe(0);
});

it('of a later fragment knows addresses and protocol, but no port', () => {
  const later = packet({ ...ENDS, offset: 100 }, 6, hex('03e80050 0000 0000'));
  const later6 = packet({ ...ENDS6, extensions: [[44, hex('00 0320 00000007')]] }, 6, hex('03e80050 00000000'));
  for (const bytes of [later, later6]) {
    expect(mark(['tcp 80 = 1'], bytes)).toBe(0);
    expect(mark(['tcp 80 = 1', 'tcp = 2'], bytes)).toBe(2);
  }
});

it.each([
  ['7', "--mark takes '[INTERFACE]"],
  ['= 7', "--mark takes '[INTERFACE]"],
  ['tcp = -1', "--mark takes '[INTERFACE]"],
  ['tcp = 4294967296', 'N being 0 to 4294967295'],
  ['eth9 = 7', 'the network has no interface eth9'],
  ['80 = 7', 'the network has no interface 80'],
  ['tcp 80 10.0.0.0/8 = 7', "'10.0.0.0/8' of 'tcp 80 10.0.0.0/8 = 7' is none of these"],
  ['10.0.0.0/8 80 = 7', "'80' of"],
  ['10.0.0.0/33 = 7', '10.0.0.0/33'],
  ['from = 7', '--mark from = 7: '],
  ['tcp 443-80 = 7', 'the lower one first'],
  ['tcp 65536 = 7', 'ports are 0 to 65535'],
])('%s is refused', (rule, message) => {
  expect(() => new Marks([rule], NETWORK)).toThrow(message);
});

it('refuses what another rule takes already', () => {
  expect(() => new Marks(['tcp 80 = 1', 'tcp  80=2'], NETWORK)).toThrow(
    "--mark tcp  80=2: 'tcp 80 = 1' takes these packets",
  );
});
