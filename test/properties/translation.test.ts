/**
 * What translation and forwarding do to whole packets: they undo each other, and touch nothing but what they name.
 */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import type { MethodName, NetworkConfig } from '../../src/types.js';
import { BINARIES, type Binary, createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import {
  ACK,
  checksum,
  ethernet,
  FIN,
  fixIpv4,
  hex,
  join,
  SYN,
  type TransportWords,
  tcp,
  toHex,
  udp,
} from '../support/packets.js';
import { properties } from '../support/property.js';

const property = properties(import.meta.url);

const CLIENT = '10.0.0.2';
const VIP = '10.0.0.100';
const SERVER = '10.1.0.11';
const MAC = {
  cli: '02:00:00:00:00:01',
  client: '02:00:00:00:00:02',
  srv: '02:00:00:00:01:01',
  server: '02:00:00:00:01:11',
};

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', mac: MAC.cli, mtu: 9000, addresses: ['10.0.0.1/24', `${VIP}/32`] },
    { name: 'srv', mac: MAC.srv, mtu: 9000, addresses: ['10.1.0.1/24'] },
  ],
  neighbours: [
    { dst: CLIENT, dev: 'cli', lladdr: MAC.client },
    { dst: SERVER, dev: 'srv', lladdr: MAC.server },
  ],
};

/** A real server that takes packets out of their tunnel and has the VIP. */
const SERVER_NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'eth0', mac: MAC.server, mtu: 9000, addresses: [`${SERVER}/24`] },
    { name: 'tunl0', kind: 'ipip', addresses: [`${VIP}/32`] },
  ],
};

const memories: WebAssembly.Memory[] = [];

/** A director in one of a few memories that are used again and again. */
function director(binary: Binary, slot: number, network: NetworkConfig): Director {
  const key = BINARIES.indexOf(binary) * 2 + slot;
  const memory = memories[key] ?? memoryFor(binary);
  memories[key] = memory;
  return createDirector(binary, { memory, plan: SMALL_PLAN, network });
}

function balancer(binary: Binary, method: MethodName, ports: [number, number]): Director {
  const made = director(binary, 0, NETWORK);
  for (const protocol of ['tcp', 'udp'] as const) {
    const key = { protocol, address: VIP, port: ports[0] };
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: SERVER, port: method === 'nat' ? ports[1] : ports[0], method });
  }
  return made;
}

const port = fc.oneof(fc.constantFrom(80, 0xffff, 0x0100, 0x00ff), fc.integer({ min: 21, max: 0xffff }));

/** A client's packet that opens a connection: any field may be anything. */
const packets = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  sport: port,
  vport: port,
  rport: port,
  tos: fc.nat(255),
  id: fc.nat(0xffff),
  df: fc.boolean(),
  ttl: fc.integer({ min: 3, max: 255 }),
  payload: fc.uint8Array({ maxLength: 1500 }),
  options: fc.constantFrom('', '01010101', '94040000', '820b000000000000000000 00', '010101010101010101010101'),
  flags: fc.constantFrom(SYN, SYN | ACK, SYN | FIN),
  sum: fc.oneof(fc.constant('right' as const), fc.constantFrom(0, 0xffff), fc.nat(0xffff)),
});

type Words = typeof packets extends fc.Arbitrary<infer W> ? W : never;

function make(words: Words): Uint8Array {
  const { protocol, vport: dport, sum, options, ...rest } = words;
  const header: TransportWords = {
    ...rest,
    options: hex(options),
    source: CLIENT,
    destination: VIP,
    dport,
    ...(sum === 'right' ? {} : { checksum: sum }),
  };
  return protocol === 'tcp' ? tcp(header) : udp(header);
}

const fromClient = (packet: Uint8Array): Uint8Array => ethernet(MAC.cli, MAC.client, packet);
const headerLength = (packet: Uint8Array): number => ((packet[0] as number) & 15) * 4;

/** The packet that answers: addresses and ports changed over, which changes no checksum. */
function mirrored(packet: Uint8Array): Uint8Array {
  const l4 = headerLength(packet);
  const part = (from: number, to: number): Uint8Array => packet.subarray(from, to);
  return join(
    part(0, 12),
    part(16, 20),
    part(12, 16),
    part(20, l4),
    part(l4 + 2, l4 + 4),
    part(l4, l4 + 2),
    packet.subarray(l4 + 4),
  );
}

/** The only outcome, which must be a forwarded frame. */
function forwarded(outcomes: Outcome[], reason: string): Uint8Array {
  expect(outcomes.map((each) => each.reason)).toEqual([reason]);
  return (outcomes[0] as Outcome).frame;
}

/** Offset of the transport checksum in the header. */
const sumAt = (words: Words): number => (words.protocol === 'tcp' ? 16 : 6);

/** Bytes as hexadecimal with those of the named ranges hidden. */
function without(bytes: Uint8Array, ...ranges: readonly (readonly [number, number])[]): string {
  const copy = bytes.slice();
  for (const [from, to] of ranges) copy.fill(0, from, to);
  return toHex(copy);
}

const ETHER = 14;
const MACS = [0, 12] as const;
const TTL = [ETHER + 8, ETHER + 9] as const;
const IP_CHECKSUM = [ETHER + 10, ETHER + 12] as const;
const SOURCE = [ETHER + 12, ETHER + 16] as const;
const DESTINATION = [ETHER + 16, ETHER + 20] as const;

describe.each(BINARIES)('%s', (binary) => {
  property(
    `NAT out undoes NAT in (${binary})`,
    fc.property(packets, (words) => {
      const packet = make(words);
      const made = balancer(binary, 'nat', [words.vport, words.rport]);
      const request = forwarded(made.send(fromClient(packet), 'cli', 0), 'nat-in').subarray(ETHER);
      expect(toHex(request.subarray(16, 20))).toBe('0a01000b');
      const reply = ethernet(MAC.srv, MAC.server, mirrored(request));
      const answered = forwarded(made.send(reply, 'srv', 0), 'nat-out').subarray(ETHER);

      const expected = mirrored(packet);
      expected[8] = words.ttl - 2;
      fixIpv4(expected);
      const at = headerLength(packet) + sumAt(words);
      const value = (bytes: Uint8Array): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      expect(without(answered, [at, at + 2])).toBe(without(expected, [at, at + 2]));
      if (words.protocol === 'udp' && words.sum === 0) {
        const right = make({ ...words, sum: 'right' });
        expect(value(answered) % 0xffff).toBe(value(right) % 0xffff);
        expect(value(answered)).not.toBe(0);
      } else {
        // Zero has two spellings.
        expect(value(answered) % 0xffff).toBe(value(packet) % 0xffff);
      }
    }),
  );

  property(
    `NAT touches nothing but what it translates (${binary})`,
    fc.property(packets, (words) => {
      const frame = fromClient(make(words));
      const made = balancer(binary, 'nat', [words.vport, words.rport]);
      const l4 = ETHER + headerLength(frame.subarray(ETHER));
      const sum = [l4 + sumAt(words), l4 + sumAt(words) + 2] as const;
      const request = forwarded(made.send(frame, 'cli', 0), 'nat-in');
      const changed = [MACS, TTL, IP_CHECKSUM, sum] as const;
      expect(without(request, ...changed, DESTINATION, [l4 + 2, l4 + 4])).toBe(
        without(frame, ...changed, DESTINATION, [l4 + 2, l4 + 4]),
      );
      const reply = ethernet(MAC.srv, MAC.server, mirrored(request.subarray(ETHER)));
      const answered = forwarded(made.send(reply, 'srv', 0), 'nat-out');
      expect(without(answered, ...changed, SOURCE, [l4, l4 + 2])).toBe(
        without(reply, ...changed, SOURCE, [l4, l4 + 2]),
      );
      for (const each of [request, answered]) {
        expect(checksum(each.subarray(ETHER, l4))).toBe(0);
      }
    }),
  );

  property(
    `DR touches nothing but MACs, TTL and IP checksum (${binary})`,
    fc.property(packets, (words) => {
      const frame = fromClient(make(words));
      const sent = forwarded(balancer(binary, 'dr', [words.vport, 0]).send(frame, 'cli', 0), 'direct-route');
      expect(without(sent, MACS, TTL, IP_CHECKSUM)).toBe(without(frame, MACS, TTL, IP_CHECKSUM));
      expect(sent[22]).toBe(words.ttl - 1);
      expect(checksum(sent.subarray(ETHER, ETHER + headerLength(frame.subarray(ETHER))))).toBe(0);
      expect(toHex(sent.subarray(0, 12))).toBe('020000000111020000000101');
    }),
  );

  property(
    `what goes into a tunnel comes out of it (${binary})`,
    fc.property(packets, (words) => {
      const packet = make(words);
      const sent = forwarded(
        balancer(binary, 'tun', [words.vport, 0]).send(fromClient(packet), 'cli', 0),
        'tunnel-ipip',
      );
      expect(toHex(sent.subarray(ETHER + 12, ETHER + 20))).toBe('0a0100010a01000b');
      const [outcome] = director(binary, 1, SERVER_NETWORK).send(sent, 'eth0', 0);
      const { verdict, reason, frame } = outcome as Outcome;
      expect([verdict, reason]).toEqual(['local', 'decapsulated']);
      const expected = packet.slice();
      expected[8] = words.ttl - 1;
      expect(toHex(frame)).toBe(toHex(fixIpv4(expected)));
    }),
  );
});
