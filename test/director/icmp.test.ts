/** ICMP and ICMPv6 errors about connections, byte for byte, as Linux has them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { opened, opened6, ROUTER, reply, replyOfServer, sent, UNREACHABLE } from '../support/icmp.js';
import {
  CLIENT,
  CLIENT6,
  DR,
  fromClient,
  fromServer,
  judged,
  lab,
  lab6,
  NAT,
  NAT6,
  networkWith,
  request,
  request6,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  TUN,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, fixIpv4, hex, icmp, ipv4, ipv6, type PacketWords, tcp, toHex } from '../support/packets.js';
import { properties } from '../support/property.js';
import { ipInIp } from '../support/tunnels.js';

const property = properties(import.meta.url);

/** An error, and what NAT is to make of it: every word of the quoted headers that may differ is given by `quote`. */
interface Translation {
  before: PacketWords;
  after: PacketWords;
  quote: (source: string, destination: string, sport: number, dport: number) => Uint8Array;
}

/** Quoted segments: the transport checksum is anything, and stays so. */
const quotes = fc
  .record({
    tos: fc.nat(255),
    id: fc.nat(0xffff),
    ttl: fc.nat(255),
    words: fc.nat(10),
    hopByHop: fc.boolean(),
    payload: fc.uint8Array({ minLength: 4, maxLength: 100 }),
  })
  .map(({ tos, id, ttl, words, hopByHop, payload }): Translation['quote'] => (source, destination, sport, dport) => {
    const segment = Uint8Array.of(sport >> 8, sport & 255, dport >> 8, dport & 255, ...payload);
    if (!source.includes(':')) {
      const options = new Uint8Array(words * 4).fill(1);
      return ipv4({ source, destination, tos, id, ttl, options, protocol: 6 }, segment);
    }
    const extensions = hopByHop ? ([[0, hex('00010400000000')]] as const) : [];
    return ipv6({ source, destination, trafficClass: tos, hopLimit: ttl, extensions, protocol: 6 }, segment);
  });

const cut = fc.nat(100);
const rest = fc.nat(0xffff_ffff);

const errors4 = fc.tuple(fc.constantFrom(3, 4, 11), fc.nat(255), rest);
const errors6 = fc.tuple(fc.nat(127), fc.nat(255), rest);

/** The quoted bytes that are surely there: headers and ports. */
function cutTo(quote: Uint8Array, ports: number, by: number): Uint8Array {
  return quote.subarray(0, Math.max(ports + 4, quote.length - by));
}
const portsAt = (quote: Uint8Array): number =>
  (quote[0] as number) >> 4 === 4 ? ((quote[0] as number) & 15) * 4 : quote[6] === 0 ? 48 : 40;

describe('NAT', () => {
  const director = opened(NAT);
  const director6 = opened6(NAT6);

  property(
    'an error of the client is to the server as if it had been about its own packet',
    fc.property(errors4, errors6, quotes, cut, ([type, code, word], [type6, code6, word6], quote, by) => {
      const shown = quote(VIP, CLIENT, 80, 40_000);
      const meant = quote(SERVERS[0], CLIENT, 8080, 40_000);
      const ports = portsAt(shown);
      const from = '10.9.0.1';
      const frame = fromClient(icmp({ source: from, destination: VIP }, type, code, cutTo(shown, ports, by), word));
      const expected = icmp(
        { source: from, destination: SERVERS[0], ttl: 63 },
        type,
        code,
        cutTo(meant, ports, by),
        word,
      );
      expect(toHex(sent(director, frame, 'cli', 'icmp-in'))).toBe(toHex(expected));

      const shown6 = quote(VIP6, CLIENT6, 80, 40_000);
      const meant6 = quote(SERVERS6[0], CLIENT6, 8080, 40_000);
      const ports6 = portsAt(shown6);
      const words = { source: 'fd00:9::1', ttl: 64 };
      const body = cutTo(shown6, ports6, by);
      const frame6 = fromClient(icmp({ ...words, destination: VIP6 }, type6, code6, body, word6));
      const translated = { ...words, destination: SERVERS6[0], ttl: 63 };
      const expected6 = icmp(translated, type6, code6, cutTo(meant6, ports6, by), word6);
      expect(toHex(sent(director6, frame6, 'cli', 'icmp-in'))).toBe(toHex(expected6));
    }),
  );

  property(
    "an error from the server's side is to the client as if the service had sent it about what the client sent",
    fc.property(errors4, errors6, quotes, cut, ([type, code, word], [type6, code6, word6], quote, by) => {
      const shown = quote(CLIENT, SERVERS[0], 40_000, 8080);
      const meant = quote(CLIENT, VIP, 40_000, 80);
      const ports = portsAt(shown);
      const frame = fromServer(
        icmp({ source: ROUTER, destination: CLIENT }, type, code, cutTo(shown, ports, by), word),
      );
      const expected = icmp({ source: VIP, destination: CLIENT, ttl: 63 }, type, code, cutTo(meant, ports, by), word);
      expect(toHex(sent(director, frame, 'srv', 'icmp-out'))).toBe(toHex(expected));

      const shown6 = quote(CLIENT6, SERVERS6[0], 40_000, 8080);
      const meant6 = quote(CLIENT6, VIP6, 40_000, 80);
      const ports6 = portsAt(shown6);
      const words = { source: 'fd00:1::fe', destination: CLIENT6 };
      const frame6 = fromServer(icmp(words, type6, code6, cutTo(shown6, ports6, by), word6));
      const translated = { ...words, source: VIP6, ttl: 63 };
      const expected6 = icmp(translated, type6, code6, cutTo(meant6, ports6, by), word6);
      expect(toHex(sent(director6, frame6, 'srv', 'icmp-out'))).toBe(toHex(expected6));
    }),
  );

  it.each([0, 7, 8, 27, 28, 31])('an error that quotes too little (%i bytes of message) is nobody’s', (length) => {
    const whole = icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, reply);
    // What is missing lies behind the packet, from one before.
    sent(director, fromClient(whole), 'cli', 'icmp-in');
    const message = whole.subarray(20, 20 + length);
    const words = { source: CLIENT, protocol: 1 } as const;
    const dropped = length < 8;
    const local = director.send(fromClient(ipv4({ ...words, destination: VIP }, message)), 'cli', 0);
    expect(judged(local)).toEqual([dropped ? 'drop transport-truncated' : 'local local-delivery']);
    const through = director.send(fromClient(ipv4({ ...words, destination: SERVERS[1] }, message)), 'cli', 0);
    expect(judged(through)).toEqual([dropped ? 'drop transport-truncated' : 'forward routed']);
  });

  it.each([
    ['a later fragment', ipv4({ source: VIP, destination: CLIENT, offset: 1 }, reply.subarray(20))],
    ['a header that is too short', Uint8Array.from(reply, (byte, i) => (i === 0 ? 0x44 : byte))],
    ['another protocol', ipv4({ source: VIP, destination: CLIENT, protocol: 47 }, reply.subarray(20))],
    ['what the client sent', request('tcp')],
  ])('an error about %s is nobody’s', (_, quote) => {
    const frame = fromClient(icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, quote));
    expect(judged(director.send(frame, 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('nobody looks at the version of a quoted header of IPv4', () => {
    const quote = Uint8Array.from(reply, (byte, i) => (i === 0 ? 0x75 : byte));
    const frame = fromClient(icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, quote));
    expect(judged(director.send(frame, 'cli', 0))).toEqual(['forward icmp-in']);
  });

  it('a first fragment of IPv6 is quoted like a packet, a later one is nobody’s', () => {
    const quoted = (offset: number): Uint8Array => {
      const extensions = [[44, Uint8Array.of(0, 0, offset * 8 + 1, 0, 0, 0, 1)]] as const;
      return ipv6({ source: VIP6, destination: CLIENT6, extensions, protocol: 6 }, reply.subarray(20));
    };
    const judge = (offset: number): string[] =>
      judged(director6.send(fromClient(icmp({ source: CLIENT6, destination: VIP6 }, 1, 4, quoted(offset))), 'cli', 0));
    expect([judge(0), judge(1)]).toEqual([['forward icmp-in'], ['local local-delivery']]);
  });

  it('record route holds the service’s address', () => {
    const options = hex('0707040000000000');
    const asked = tcp({ source: CLIENT, destination: SERVERS[0], sport: 40_000, dport: 8080, flags: ACK });
    const frame = fromServer(icmp({ source: SERVERS[0], destination: CLIENT, options }, ...UNREACHABLE, asked));
    expect(toHex(sent(director, frame, 'srv', 'icmp-out').slice(20, 28))).toBe('0707080a00006400');
    const incoming = fromClient(icmp({ source: CLIENT, destination: VIP, options }, ...UNREACHABLE, reply));
    expect(toHex(sent(director, incoming, 'cli', 'icmp-in').slice(20, 28))).toBe('0707080a00006400');
  });

  it('a deleted dest still gets its errors', () => {
    const own = opened(NAT);
    own.deleteDest(TCP_KEY, NAT);
    sent(own, fromClient(icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, reply)), 'cli', 'icmp-in');
  });

  it('counts for the dest, but neither keeps the connection alive nor moves its state', () => {
    const own = opened(NAT);
    const frame = fromClient(icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, reply));
    const [before] = own.connections(30_000);
    own.send(frame, 'cli', 30_000);
    expect(own.connections(30_000)).toEqual([before]);
    const [service] = own.services();
    expect(service?.stats).toMatchObject({ inPackets: 2n, inBytes: BigInt(40 + frame.length - 14) });
  });

  it('a client that is this host gets the error as the service’s', () => {
    const own = lab([NAT]);
    const source = '10.1.0.1';
    own.send(request('tcp', { source }), 'lo', 0);
    const asked = (destination: string, dport: number): Uint8Array =>
      tcp({ source, destination, sport: 40_000, dport, checksum: 0x1234 });
    const frame = fromServer(icmp({ source: ROUTER, destination: source }, ...UNREACHABLE, asked(SERVERS[0], 8080)));
    const [outcome] = own.send(frame, 'srv', 0);
    expect([outcome?.verdict, outcome?.reason]).toEqual(['local', 'local-client']);
    const expected = icmp({ source: VIP, destination: source }, ...UNREACHABLE, asked(VIP, 80));
    expect(toHex(outcome?.frame.slice(14) as Uint8Array)).toBe(toHex(expected));
  });
});

describe.each([
  ['nat', NAT, 'drop icmp-checksum'],
  ['dr', DR, 'forward icmp-in'],
  ['tun', TUN, 'forward icmp-in'],
] as const)('%s', (method, dest, wrong) => {
  const director = opened(dest);
  const error = (words: Partial<PacketWords> = {}): Uint8Array =>
    fromClient(icmp({ source: CLIENT, destination: VIP, ...words }, ...UNREACHABLE, reply));

  it('a wrong checksum', () => {
    const frame = error();
    frame[36] = (frame[36] as number) ^ 1;
    expect(judged(director.send(frame, 'cli', 0))).toEqual([wrong]);
  });

  it('a TTL that runs out is not answered', () => {
    expect(judged(director.send(error({ ttl: 1 }), 'cli', 0))).toEqual(['drop ttl-exceeded']);
  });

  it('one that passes through is taken, and has lost a hop twice', () => {
    const packet = sent(director, error({ destination: '10.1.0.77' }), 'cli', 'icmp-in');
    expect(packet[8]).toBe(62);
    const inner = method === 'tun' ? packet.subarray(20) : packet;
    expect(toHex(inner.slice(16, 20))).toBe(method === 'nat' ? '0a01000b' : '0a01004d');
    const [outcome] = director.send(error({ destination: '10.1.0.77', ttl: 2 }), 'cli', 0);
    expect([outcome?.verdict, outcome?.reason]).toEqual(['drop', 'ttl-exceeded']);
  });

  it('one that is too long is cut, even with DF', () => {
    const narrow = opened(dest, { network: networkWith({ srv: { mtu: 600 } }) });
    const words = { source: VIP, destination: CLIENT, sport: 80, dport: 40_000, payload: new Uint8Array(700) };
    const long = fromClient(icmp({ source: CLIENT, destination: VIP, df: true }, ...UNREACHABLE, tcp(words)));
    expect(judged(narrow.send(long, 'cli', 0))).toEqual(['forward icmp-in', 'forward fragment']);
  });
});

describe('a dest that is this host', () => {
  const error = (destination: string): Uint8Array =>
    fromClient(icmp({ source: CLIENT, destination }, ...UNREACHABLE, reply));

  it.each([
    ['nat', { address: '10.0.0.1', port: 8080 }],
    ['dr', { address: '10.0.0.1' }],
    ['tun', { address: '10.0.0.1' }],
  ] as const)('%s', (method, dest) => {
    const director = opened({ ...dest, method });
    expect(judged(director.send(error(VIP), 'cli', 0))).toEqual(['local local-dest']);
    expect(judged(director.send(error(SERVERS[1]), 'cli', 0))).toEqual(['drop local-boundary']);
  });
});

describe('damaged errors', () => {
  const outer = { source: '10.1.0.1', destination: SERVERS[0] };
  const quoted = [
    ['cli', icmp({ source: CLIENT, destination: VIP }, ...UNREACHABLE, reply)],
    ['srv', icmp({ source: ROUTER, destination: '10.1.0.1' }, 3, 4, ipInIp(outer, request('tcp')), 1300)],
    ['srv', icmp({ source: ROUTER, destination: CLIENT }, 11, 0, replyOfServer)],
    ['cli', icmp({ source: CLIENT6, destination: VIP6 }, 1, 4, request6('tcp'))],
  ] as const;
  const options = { binary: 'debug', sysctl: { schedule_icmp: 1 } } as const;
  const directors = [opened(NAT, options), opened(TUN, options), opened6(NAT6, options)];

  property(
    'end in a verdict, and what is not ours is left as it was',
    fc.property(
      fc.constantFrom(...quoted),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 4 }),
      fc.nat(120),
      ([by, whole], changes, room) => {
        const packet = whole.slice(0, Math.max(room, 20));
        for (const [at, value] of changes) if (at < packet.length) packet[at] = value;
        const v6 = (packet[0] as number) >> 4 === 6;
        // Only the first header is put right: the rest is looked at, then.
        if (v6) new DataView(packet.buffer).setUint16(4, Math.max(0, packet.length - 40));
        else new DataView(packet.buffer).setUint16(2, packet.length);
        const frame = (by === 'cli' ? fromClient : fromServer)(v6 ? packet : fixIpv4(packet));
        for (const director of directors) {
          const [outcome] = director.send(frame, by, 0);
          expect(outcome?.reason).toBeDefined();
          if (outcome?.reason === 'local-delivery') expect(toHex(outcome.frame)).toBe(toHex(frame));
        }
      },
    ),
  );
});

it('where there is no service of the family, ICMP is nothing to look at', () => {
  const short = fromClient(ipv4({ source: CLIENT, destination: VIP, protocol: 1 }, hex('0301 0000')));
  expect(judged(lab6([NAT6]).send(short, 'cli', 0))).toEqual(['local local-delivery']);
  const short6 = fromClient(ipv6({ source: CLIENT6, destination: VIP6, protocol: 58 }, hex('0101 0000')));
  expect(judged(lab([NAT]).send(short6, 'cli', 0))).toEqual(['local local-delivery']);
  expect(judged(lab6([NAT6]).send(short6, 'cli', 0))).toEqual(['drop transport-truncated']);
});
