/**
 * Both ends of a connection by FullNAT, or NAT, see one consistent stream, whatever becomes of segments on the way: each number of
 * each segment, each edge of selective acknowledgments and each checksum is what the other end meant.
 */
import fc from 'fast-check';
import { describe } from 'vitest';
import { type ReferenceCarry, ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { createDirector, memoryFor, SMALL_PLAN } from '../support/core.js';
import { SYN } from '../support/packets.js';
import { properties } from '../support/property.js';
import { End } from './ends/end.js';
import { type Judge, MAC, type Names, Talk, type Telling } from './ends/talk.js';
import { Choices, drawn } from './families/choices.js';

const property = properties(import.meta.url);

const NAMES: Readonly<Record<'IPv4' | 'IPv6' | 'NAT64', Names>> = {
  IPv4: {
    ...{ client: '10.0.0.2', virtual: '10.0.0.100', local: '10.1.0.1', server: '10.1.0.11' },
    ...{ clientPort: 40_001, virtualPort: 80, serverPort: 8080 },
  },
  IPv6: {
    ...{ client: 'fd00::2', virtual: 'fd00::100', local: 'fd00:1::1', server: 'fd00:1::11' },
    ...{ clientPort: 40_001, virtualPort: 80, serverPort: 8080 },
  },
  NAT64: {
    ...{ client: 'fd00::2', virtual: 'fd00::100', local: '10.1.0.1', server: '10.1.0.11' },
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

/** Both ends are told when it is over. A SYN proxy tells nobody of timestamps, which ends here have at random, and never gives up. */
const SYSCTL = { conn_expire_tcp_rst: 1, synproxy_timestamp: 0, synproxy_dup_ack: 0, synproxy_retries: 7 };

const PROFILES = ['linux', 'alibaba', 'dpvs'] as const;

/** A director with one service, and one server. */
interface Served {
  way: keyof typeof NAMES;
  profile: (typeof PROFILES)[number];
  carry: ReferenceCarry | undefined;
  method: 'fullnat' | 'nat';
  /** Behind a SYN proxy: when servers are asked (`synproxy_defer`). */
  defer: 0 | 1 | undefined;
}

const memory = memoryFor('release', 32);

const directors: Record<string, (served: Served) => Judge> = {
  reference: (served) => serve(new ReferenceDirector({ network: NETWORK, sysctl: sysctlOf(served), seed: 7n }), served),
  core: (served) => {
    const plan = { ...SMALL_PLAN, extensions: 8, localAddresses: 1 };
    const localPorts = { first: 2000, last: 2009 };
    return serve(
      createDirector('release', { network: NETWORK, sysctl: sysctlOf(served), seed: 7n, memory, plan, localPorts }),
      served,
    );
  },
};

function sysctlOf({ defer = 0 }: Served) {
  return { ...SYSCTL, synproxy_defer: defer };
}

function serve<Director extends Pick<ReferenceDirector, 'addService' | 'addDest'> & Judge>(
  director: Director,
  { way, profile, carry, method, defer }: Served,
): Director {
  const { virtual, local, server } = NAMES[way];
  const key = { protocol: 'tcp', address: virtual, port: 80 } as const;
  const synproxy = defer !== undefined;
  director.addService({ ...key, scheduler: 'rr', localAddresses: [local], profile, synproxy, ...(carry && { carry }) });
  director.addDest(key, { address: server, port: 8080, method });
  return director;
}

/** Numbers, mostly so that they wrap on the way. */
const numbers = fc.oneof(fc.integer({ min: 0xffff_ff00 | 0, max: -1 }), fc.integer()).map((number) => number >>> 0);

const stream = fc.integer({ min: 0, max: 400 });

/** Who is told by TOA: until the server has heard that its data came, by alibaba with each SYN. */
function byToa({ carry, profile, method }: Served): Telling['byToa'] {
  if (carry !== 'toa' || method !== 'fullnat') return undefined;
  return ({ flags, upTo }) => ((flags & SYN) !== 0 ? profile === 'alibaba' : upTo === 0);
}

/** What the director puts in front, by behaviour of haproxy's proxy-protocol.txt. */
function headerOf({ way, carry }: Served): Uint8Array {
  const { client, virtual } = NAMES[way];
  const family = client.includes(':') ? 6 : 4;
  if (carry === 'proxy-v1') return Buffer.from(`PROXY TCP${family} ${client} ${virtual} 40001 80\r\n`);
  if (carry !== 'proxy-v2') return new Uint8Array(0);
  const head = '0d0a0d0a000d0a515549540a21';
  const ends = family === 4 ? '11000c0a0000020a000064' : `210024fd00${'0'.repeat(27)}2fd00${'0'.repeat(25)}100`;
  return Buffer.from(`${head}${ends}9c410050`, 'hex');
}

const CARRIES: readonly (ReferenceCarry | undefined)[] = [undefined, 'toa', 'proxy-v1', 'proxy-v2'];

describe.each(Object.keys(directors))('the %s', (name) => {
  property(
    `two ends agree through the ${name}`,
    fc.property(
      fc.record({
        way: fc.constantFrom('IPv4' as const, 'IPv6' as const, 'NAT64' as const),
        profile: fc.constantFrom(...PROFILES),
        carry: fc.constantFrom(...CARRIES),
        // By NAT nothing but addresses is another.
        method: fc.constantFrom('fullnat' as const, 'fullnat' as const, 'nat' as const),
        defer: fc.constantFrom(undefined, 0 as const, 1 as const),
      }),
      fc.tuple(numbers, numbers),
      fc.tuple(stream, stream),
      fc.integer({ min: 0, max: 2 ** 41 }),
      fc.array(drawn(12), { minLength: 5, maxLength: 120 }),
      ({ method, ...rest }, [iss, irs], [there, back], now, steps) => {
        // NAT does not lead to another family.
        const isNat = method === 'nat' && rest.way !== 'NAT64';
        const served: Served = { ...rest, method: isNat ? 'nat' : 'fullnat' };
        const header = isNat ? new Uint8Array(0) : headerOf(served);
        const names = NAMES[served.way];
        // Who has nothing to say ends without hearing whether the header has arrived, and so does the director; one that waits for something waits for ever.
        const length = header.length > 0 || served.defer === 1 ? Math.max(there, 1) : there;
        const request = Uint8Array.from({ length }, (_, i) => i * 7);
        const answer = Uint8Array.from({ length: back }, (_, i) => i * 11);
        const ends = {
          client: new End(iss, request, answer, false),
          server: new End(irs, answer, Uint8Array.from([...header, ...request]), true),
        };
        const seen = isNat ? { ...names, local: names.client } : names;
        const talk = new Talk(directors[name]!(served), seen, ends, { header, byToa: byToa(served) }, now);
        for (const step of steps) talk.step(new Choices(step));
        talk.finish(new Choices([]));
        talk.expire();
      },
    ),
  );
});
