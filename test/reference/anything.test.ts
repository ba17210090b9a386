/** Whatever comes in gets a verdict: noise, and real frames with some bytes changed, cut or added. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseIpv4, serialiseEthernet, serialiseIpv4 } from '../../src/reference/index.js';
import { ACK, CLIENT, director, frame, MAC, networkWith, SERVER, SYN, tcp, udp } from './builders.js';

const RUNS = Number(process.env.RUNS ?? 1000);

const REAL = [
  frame(tcp(SYN, [40000, 80])),
  frame(tcp(ACK, [40000, 80], { options: Uint8Array.of(68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0) })),
  frame(udp([40000, 53], { flags: 2 }, 1400), 'cli', 7),
  frame({ ...tcp(SYN, [40000, 80]), protocol: 4, payload: serialiseIpv4(tcp(SYN, [40001, 80])) }),
  frame(tcp(ACK, [8080, 40000], { source: SERVER, destination: CLIENT }), 'srv'),
  frame(udp([5353, 40000], { source: SERVER, destination: CLIENT, ttl: 1 }), 'srv'),
];

const change = fc.tuple(fc.nat(80), fc.nat(255));
const damaged = fc
  .tuple(fc.constantFrom(...REAL), fc.array(change, { maxLength: 4 }), fc.nat(40), fc.boolean())
  .map(([bytes, changes, cut, repair]) => {
    const copy = bytes.slice(0, bytes.length - (cut > 30 ? cut : 0));
    for (const [at, value] of changes) copy[at] = value;
    return repair ? withRightHeader(copy) : copy;
  });

/** A damaged frame whose IP header checksum is right again gets further in. */
function withRightHeader(bytes: Uint8Array): Uint8Array {
  try {
    const payload = serialiseIpv4(parseIpv4(bytes.slice(14)));
    return serialiseEthernet({ destination: MAC.cli, source: MAC.client, tag: undefined, etherType: 0x0800, payload });
  } catch {
    return bytes;
  }
}

it.each(['nat', 'dr', 'tun'] as const)('%s: any bytes', (method) => {
  const network = networkWith(
    { name: 'tunl0', kind: 'ipip' },
    { name: 'raw0', kind: 'raw' },
    { name: 'cli.7', vlan: { parent: 'cli', id: 7 } },
  );
  const made = director(method, { network, sysctl: { nat_icmp_send: 1, sloppy_tcp: 1 } });
  const anything = fc.oneof(fc.uint8Array({ maxLength: 2048 }), damaged);
  const seen = new Set<string>();
  fc.assert(
    fc.property(anything, fc.constantFrom('cli', 'srv', 'raw0', 'lo', 'tunl0'), (bytes, name) => {
      const before = bytes.slice();
      const outcomes = made.send(bytes, name, 0);
      expect(bytes).toEqual(before);
      for (const outcome of outcomes) {
        expect(['forward', 'local', 'pass', 'drop', 'held']).toContain(outcome.verdict);
        expect(outcome.outInterface !== undefined).toBe(outcome.verdict === 'forward');
        seen.add(outcome.reason);
      }
      expect(outcomes.map((outcome) => outcome.made)).toEqual(outcomes.map((_, i) => i > 0));
    }),
    { numRuns: RUNS },
  );
  // The noise is worth its name.
  expect(seen.size).toBeGreaterThan(10);
});
