/**
 * Both ends of a connection by FullNAT, or NAT, see one consistent stream, whatever becomes of segments on the way: each number of
 * each segment, each edge of selective acknowledgments and each checksum is what the other end meant.
 */
import fc from 'fast-check';
import { describe } from 'vitest';
import { type ReferenceCarry, ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { properties } from '../support/property.js';
import { End } from './ends/end.js';
import { type Judge, MAC, type Names, Talk } from './ends/talk.js';
import { Choices, drawn } from './families/choices.js';

const property = properties(import.meta.url);

const NAMES: Readonly<Record<4 | 6, Names>> = {
  4: {
    ...{ client: '10.0.0.2', virtual: '10.0.0.100', local: '10.1.0.1', server: '10.1.0.11' },
    ...{ clientPort: 40_001, virtualPort: 80, serverPort: 8080 },
  },
  6: {
    ...{ client: 'fd00::2', virtual: 'fd00::100', local: 'fd00:1::1', server: 'fd00:1::11' },
    ...{ clientPort: 40_001, virtualPort: 80, serverPort: 8080 },
  },
};

const NETWORK: NetworkConfig = {
  interfaces: [
    { name: 'cli', mac: MAC.cli, addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', 'fd00::100/128'] },
    { name: 'srv', mac: MAC.srv, addresses: ['10.1.0.1/24', 'fd00:1::1/64'] },
  ],
  neighbours: [
    ...['10.0.0.2', 'fd00::2'].map((dst) => ({ dst, dev: 'cli', lladdr: MAC.client })),
    ...['10.1.0.11', 'fd00:1::11'].map((dst) => ({ dst, dev: 'srv', lladdr: MAC.server })),
  ],
};

/** Both ends are told when it is over. */
const SYSCTL = { conn_expire_tcp_rst: 1 };

const PROFILES = ['linux', 'alibaba', 'dpvs'] as const;

/** A director with one service, and one server. */
interface Served {
  family: 4 | 6;
  profile: (typeof PROFILES)[number];
  carry: ReferenceCarry | undefined;
  method: 'fullnat' | 'nat';
}

const memory = memoryFor('release', 32);

const directors: Record<string, (served: Served) => Judge> = {
  reference: (served) => serve(new ReferenceDirector({ network: NETWORK, sysctl: SYSCTL, seed: 7n }), served),
  core: (served) => {
    const plan = { ...SMALL_PLAN, extensions: 8, localAddresses: 1 };
    const localPorts = { first: 2000, last: 2009 };
    return serve(
      createDirector('release', { network: NETWORK, sysctl: SYSCTL, seed: 7n, memory, plan, localPorts }),
      served,
    );
  },
};

function serve<Director extends Pick<ReferenceDirector, 'addService' | 'addDest'> & Judge>(
  director: Director,
  { family, profile, carry, method }: Served,
): Director {
  const { virtual, local, server } = NAMES[family];
  const key = { protocol: 'tcp', address: virtual, port: 80 } as const;
  director.addService({ ...key, scheduler: 'rr', localAddresses: [local], profile, ...(carry && { carry }) });
  director.addDest(key, { address: server, port: 8080, method });
  return director;
}

/** Numbers, mostly so that they wrap on the way. */
const numbers = fc.oneof(fc.integer({ min: 0xffff_ff00 | 0, max: -1 }), fc.integer()).map((number) => number >>> 0);

const stream = fc.integer({ min: 0, max: 400 });

/** What the director puts in front, by behaviour of haproxy's proxy-protocol.txt. */
function headerOf({ family, carry }: Served): Uint8Array {
  const { client, virtual } = NAMES[family];
  if (carry === 'proxy-v1') return Buffer.from(`PROXY TCP${family} ${client} ${virtual} 40001 80\r\n`);
  if (carry !== 'proxy-v2') return new Uint8Array(0);
  const head = '0d0a0d0a000d0a515549540a21';
  const ends = family === 4 ? '11000c0a0000020a000064' : `210024fd00${'0'.repeat(27)}2fd00${'0'.repeat(25)}100`;
  return Buffer.from(`${head}${ends}9c410050`, 'hex');
}

const CARRIES: Record<string, readonly (ReferenceCarry | undefined)[]> = {
  reference: [undefined, 'toa', 'proxy-v1', 'proxy-v2'],
  core: [undefined, 'toa', 'proxy-v1', 'proxy-v2'],
};

describe.each(Object.keys(directors))('the %s', (name) => {
  property(
    `two ends agree through the ${name}`,
    fc.property(
      fc.record({
        family: fc.constantFrom(4 as const, 6 as const),
        profile: fc.constantFrom(...PROFILES),
        carry: fc.constantFrom(...CARRIES[name]!),
        // By NAT nothing but addresses is another.
        method: fc.constantFrom('fullnat' as const, 'fullnat' as const, 'nat' as const),
      }),
      fc.tuple(numbers, numbers),
      fc.tuple(stream, stream),
      fc.integer({ min: 0, max: 2 ** 41 }),
      fc.array(drawn(12), { minLength: 5, maxLength: 120 }),
      (served, [iss, irs], [there, back], now, steps) => {
        const isNat = served.method === 'nat';
        const header = isNat ? new Uint8Array(0) : headerOf(served);
        const names = NAMES[served.family];
        // Who has nothing to say ends without hearing whether the header has arrived, and so does the director.
        const length = header.length > 0 ? Math.max(there, 1) : there;
        const request = Uint8Array.from({ length }, (_, i) => i * 7);
        const answer = Uint8Array.from({ length: back }, (_, i) => i * 11);
        const ends = {
          client: new End(iss, request, answer, false),
          server: new End(irs, answer, Uint8Array.from([...header, ...request]), true),
        };
        const seen = isNat ? { ...names, local: names.client } : names;
        const talk = new Talk(directors[name]!(served), seen, ends, header, now);
        for (const step of steps) talk.step(new Choices(step));
        talk.finish(new Choices([]));
        talk.expire();
      },
    ),
  );
});
