/** Whatever comes in gets a verdict: noise, and real frames with some bytes changed, cut or added. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseIpv4, serialiseEthernet, serialiseIp, serialiseIpv4 } from '../../src/reference/index.js';
import { ACK, CLIENT, director, frame, MAC, networkWith, SERVER, SYN, tcp, udp } from './builders.js';
import {
  chunk,
  ENDS,
  fragment6,
  frame as frame6,
  icmpError,
  packet,
  plainDirector,
  sctp,
  tcp as tcp6,
  udp as udp6,
} from './builders6.js';

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

const { client, vip, server, own } = ENDS[6];
const QUOTED = serialiseIp(tcp6([vip, 80], [client, 1], ACK, 40));

const BOTH_FAMILIES = [
  frame6(tcp6([client, 1], [vip, 80], SYN)),
  frame6(tcp6([server, 8080], [client, 1], ACK), 'srv'),
  frame6(packet(client, vip, 0, Uint8Array.from([60, 0, 5, 2, 0, 0, 1, 0, 6, 0, 1, 4, 0, 0, 0, 0]))),
  frame6(icmpError([client, vip], [1, 4, 0], QUOTED)),
  frame6(icmpError([ENDS[4].server, ENDS[4].inner], [3, 4, 1300], QUOTED), 'srv'),
  frame6(fragment6(tcp6([client, 1], [vip, 80], ACK, 200), 0, 104, true)),
  frame6(fragment6(tcp6([client, 1], [vip, 80], ACK, 200), 104, 200, false)),
  frame6(sctp([client, 1], [vip, 80], chunk(1))),
  frame6(packet(client, own, 41, QUOTED)),
  frame6(packet(client, own, 47, Uint8Array.from([0, 0, 0x86, 0xdd, ...QUOTED]))),
  frame6(udp6([client, 1], [own, 6080], 90)),
];

const change6 = fc.tuple(fc.nat(120), fc.nat(255));
const damaged6 = fc
  .tuple(fc.constantFrom(...BOTH_FAMILIES), fc.array(change6, { maxLength: 4 }), fc.nat(40))
  .map(([bytes, changes, short]) => {
    const copy = bytes.slice(0, bytes.length - (short > 30 ? short : 0));
    for (const [at, value] of changes) copy[at] = value;
    return copy;
  });

it.each(['nat', 'dr', 'tun'] as const)('%s: any bytes of both families', (method) => {
  const made = plainDirector({ sysctl: { schedule_icmp: 1, sloppy_sctp: 1 } });
  for (const protocol of ['tcp', 'sctp'] as const) {
    made.addService({ protocol, address: vip, port: 80, scheduler: 'rr' });
    made.addDest({ protocol, address: vip, port: 80 }, { address: server, method });
  }
  const seen = new Set<string>();
  let now = 0;
  fc.assert(
    fc.property(damaged6, fc.constantFrom('cli', 'srv'), fc.boolean(), (bytes, name, partialChecksum) => {
      const before = bytes.slice();
      now += 100;
      for (const outcome of made.send(bytes, name, now, { partialChecksum, mark: bytes.length % 3 })) {
        expect(outcome.outInterface !== undefined).toBe(outcome.verdict === 'forward');
        seen.add(outcome.reason);
      }
      expect(bytes).toEqual(before);
    }),
    { numRuns: RUNS },
  );
  expect(seen.size).toBeGreaterThan(15);
});

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
