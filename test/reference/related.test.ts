/** ICMP and ICMPv6 errors about connections, and about the director's own tunnels. */
import { describe, expect, it } from 'vitest';
import {
  type IpPacket,
  isIpv6,
  parseAnyAddress,
  parseIcmp,
  parseIp,
  type ReferenceDest,
  serialiseGue,
  serialiseIp,
  serialiseUdp,
} from '../../src/reference/index.js';
import { ACK, judged, SYN } from './builders.js';
import { checksumIsRight, ENDS, frame, icmpError, packet, packetOf, plainDirector, tcp, udp } from './builders6.js';
import { toHex } from './support.js';

type Family = 4 | 6;

/** Port unreachable. */
const UNREACHABLE = { 4: [3, 3, 0], 6: [1, 4, 0] } as const;

const error = (family: Family): [number, number, number] => [...UNREACHABLE[family]];

function director(family: Family, dest: Partial<ReferenceDest>, sysctl = {}) {
  const { vip, server, client } = ENDS[family];
  const made = plainDirector({ sysctl });
  const key = { protocol: 'tcp', address: vip, port: 80 } as const;
  made.addService({ ...key, scheduler: 'rr' });
  made.addDest(key, { address: server, port: 8080, method: 'nat', ...dest });
  const open = () => made.send(frame(tcp([client, 1], [vip, 80], SYN)), 'cli', 0)[0]!;
  return { made, open };
}

/** What the client's side says about a packet of the virtual address. */
function fromClient(family: Family, words = {}, cutAt?: number): IpPacket {
  const { client, vip, far } = ENDS[family];
  const quoted = serialiseIp(tcp([vip, 80], [client, 1], ACK, 40));
  return icmpError([far, vip], error(family), quoted.slice(0, cutAt), words);
}

/** What the server's side says about a packet to the server. */
function fromServer(family: Family, to: string, cutAt?: number): IpPacket {
  const { client, server } = ENDS[family];
  const quoted = serialiseIp(tcp([client, 1], [server, 8080], ACK, 40));
  return icmpError([server, to], error(family), quoted.slice(0, cutAt));
}

function damaged(whole: IpPacket): IpPacket {
  const payload = whole.payload.slice();
  payload[2] = payload[2]! ^ 1;
  return { ...whole, payload };
}

const quoteIn = (whole: IpPacket): Uint8Array => parseIcmp(whole.payload).payload;
const ports = (bytes: Uint8Array, at: number): number[] =>
  [0, 2].map((i) => (bytes[at + i]! << 8) | bytes[at + i + 1]!);

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, vip, server, inner, far } = ENDS[family];
  const header = family === 6 ? 40 : 20;

  it('from the client goes to the server, whose packet it quotes', () => {
    const { made, open } = director(family, {});
    open();
    const [outcome] = made.send(frame(fromClient(family)), 'cli', 0);
    expect(judged([outcome!])).toEqual(['forward icmp-in']);
    const sent = packetOf(outcome!.frame);
    expect([sent.source, sent.destination]).toEqual([far, server].map(parseAnyAddress));
    const quote = parseIp(quoteIn(sent));
    expect([quote.source, quote.destination]).toEqual([server, client].map(parseAnyAddress));
    expect(ports(quoteIn(sent), header)).toEqual([8080, 1]);
    if (isIpv6(sent)) expect(checksumIsRight(sent)).toBe(true);
    expect(made.connections(0)[0]).toMatchObject({ inPackets: 1 });
    expect(made.services()[0]!.stats).toMatchObject({ inPackets: 2n });
  });

  it('from the server goes to the client, from the virtual address, whoever sent it', () => {
    const { made, open } = director(family, {});
    open();
    const [outcome] = made.send(frame(fromServer(family, client), 'srv'), 'srv', 0);
    expect(judged([outcome!])).toEqual(['forward icmp-out']);
    const sent = packetOf(outcome!.frame);
    expect([sent.source, sent.destination]).toEqual([vip, client].map(parseAnyAddress));
    const quote = parseIp(quoteIn(sent));
    expect([quote.source, quote.destination]).toEqual([client, vip].map(parseAnyAddress));
    expect(ports(quoteIn(sent), header)).toEqual([1, 80]);
    expect(made.services()[0]!.stats).toMatchObject({ outPackets: 1n });
  });

  it('needs no more of what it quotes than the ports', () => {
    const { made, open } = director(family, {});
    open();
    const reasons = (cutAt: number) => [
      made.send(frame(fromClient(family, {}, cutAt)), 'cli', 0)[0]!.reason,
      made.send(frame(fromServer(family, client, cutAt), 'srv'), 'srv', 0)[0]!.reason,
    ];
    expect(reasons(header + 4)).toEqual(['icmp-in', 'icmp-out']);
    expect(reasons(header + 3)).toEqual(['local-delivery', 'routed']);
    expect(reasons(header - 1)).toEqual(['local-delivery', 'routed']);
  });

  it('is not verified while another checksum in it is still to be finished', () => {
    const { made, open } = director(family, {});
    open();
    const inner = serialiseIp(damaged(fromServer(family, client)));
    const remoteChecksum = { start: header, offset: header + 16 };
    const payload = serialiseGue({ control: false, protocol: family === 4 ? 4 : 41, remoteChecksum, payload: inner });
    const length = 8 + payload.length;
    const datagram = serialiseUdp({ sourcePort: 1, destinationPort: 6080, length, checksum: 0, payload });
    const outer = packet(ENDS[4].server, ENDS[4].inner, 17, datagram);
    expect(judged(made.send(frame(outer, 'srv'), 'srv', 0))).toEqual(['forward icmp-out']);
  });

  it('with a wrong checksum goes nowhere, but that DR and TUN do not look', () => {
    const { made, open } = director(family, {});
    open();
    const [back] = made.send(frame(damaged(fromServer(family, client)), 'srv'), 'srv', 0);
    expect(judged([back!])).toEqual(['drop icmp-checksum']);
    // Over IPv6 it is made right.
    const [there] = made.send(frame(damaged(fromClient(family))), 'cli', 0);
    expect(judged([there!])).toEqual([family === 4 ? 'drop icmp-checksum' : 'forward icmp-in']);
    for (const method of ['dr', 'tun'] as const) {
      const other = director(family, { method });
      other.open();
      const sent = damaged(fromClient(family));
      const [outcome] = other.made.send(frame(sent), 'cli', 0);
      expect(judged([outcome!])).toEqual(['forward icmp-in']);
      const bytes = toHex(serialiseIp(packetOf(outcome!.frame)));
      expect(bytes).toContain(toHex(sent.payload));
      expect(other.made.connections(0)[0]).toMatchObject({ inPackets: 2 });
    }
  });

  it('is never answered', () => {
    const { made, open } = director(family, {});
    open();
    const outcomes = made.send(frame(fromClient(family, { ttl: 1 })), 'cli', 0);
    expect(judged(outcomes)).toEqual(['drop ttl-exceeded']);
    expect(judged(made.send(frame(packet(client, vip, family === 6 ? 58 : 1, new Uint8Array(7))), 'cli', 0))).toEqual([
      'drop transport-truncated',
    ]);
  });

  it('about no connection is the host', () => {
    const { made } = director(family, {});
    expect(judged(made.send(frame(fromClient(family)), 'cli', 0))).toEqual(['local local-delivery']);
    expect(judged(made.send(frame(fromServer(family, client), 'srv'), 'srv', 0))).toEqual(['forward routed']);
  });

  it('may open the connection that it is about (schedule_icmp)', () => {
    const { made } = director(family, {}, { schedule_icmp: 1 });
    expect(judged(made.send(frame(fromClient(family)), 'cli', 0))).toEqual(['forward icmp-in']);
    expect(made.connections(0)).toMatchObject([{ clientPort: 1, state: 'NONE', expires: 3, inPackets: 0 }]);
    expect(made.services()[0]!.stats).toMatchObject({ connections: 1n });
    expect(made.connections(3000)).toEqual([]);
  });

  it('is not sent past a service (cache_bypass), and counts nothing for a deleted dest', () => {
    const { made, open } = director(family, {}, { schedule_icmp: 1, cache_bypass: 1 });
    made.addService({ fwmark: 7, family, scheduler: 'rr' });
    const sent = frame(fromClient(family));
    expect(judged(made.send(sent, 'cli', 0, { mark: 7 }))).toEqual(['drop no-dest']);
    open();
    const key = { protocol: 'tcp', address: vip, port: 80 } as const;
    made.deleteDest(key, { address: server, port: 8080 });
    expect(judged(made.send(sent, 'cli', 0))).toEqual(['forward icmp-in']);
    expect(made.services()[0]!.stats).toMatchObject({ inPackets: 1n });
  });

  it('to the director as the client is translated for it', () => {
    const { made } = director(family, {});
    made.send(frame(tcp([inner, 1], [vip, 80], SYN)), 'lo', 0);
    made.send(serialiseIp(tcp([inner, 1], [vip, 80], SYN)), 'lo', 0);
    const quoted = serialiseIp(tcp([inner, 1], [server, 8080], ACK));
    const [outcome] = made.send(frame(icmpError([server, inner], error(family), quoted), 'srv'), 'srv', 0);
    expect(judged([outcome!])).toEqual(['local local-client']);
    const given = packetOf(outcome!.frame);
    expect(given.source).toBe(parseAnyAddress(vip));
    expect(ports(quoteIn(given), header)).toEqual([1, 80]);
  });

  it('is found by packets that pass, too', () => {
    const { made, open } = director(family, {});
    open();
    const quoted = serialiseIp(tcp([vip, 80], [client, 1], ACK));
    const passing = (ttl: number) => frame(icmpError([client, server], error(family), quoted, { ttl }));
    // Two hops: its own, and that to the server.
    expect(judged(made.send(passing(3), 'cli', 0))).toEqual(['forward icmp-in']);
    expect(judged(made.send(passing(2), 'cli', 0))).toEqual(['drop ttl-exceeded']);
  });
});

describe('what is no error about a connection', () => {
  const { client, vip, server } = ENDS[4];

  it.each([
    ['redirect', [5, 0, 0]],
    ['parameter problem', [12, 0, 0]],
  ] as const)('%s', (_, words) => {
    const { made, open } = director(4, {});
    open();
    const quoted = serialiseIp(tcp([client, 1], [server, 8080], ACK));
    const sent = icmpError([server, client], [...words], quoted);
    expect(judged(made.send(frame(sent, 'srv'), 'srv', 0))).toEqual(['forward routed']);
  });

  it('an error about a later fragment', () => {
    const { made, open } = director(4, {});
    open();
    const quoted = serialiseIp({ ...tcp([vip, 80], [client, 1], ACK), fragmentOffset: 3 } as IpPacket);
    const sent = icmpError([client, vip], [3, 3, 0], quoted);
    expect(judged(made.send(frame(sent), 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('the others of ICMPv6 are errors, and a redirect is none', () => {
    const quoted = serialiseIp(tcp([ENDS[6].vip, 80], [ENDS[6].client, 1], ACK));
    const reason = (type: number) => {
      const { made, open } = director(6, {});
      open();
      const sent = icmpError([ENDS[6].client, ENDS[6].vip], [type, 0, 0], quoted);
      return made.send(frame(sent), 'cli', 0)[0]!.reason;
    };
    expect([1, 2, 3, 4, 127, 128, 137].map(reason)).toEqual([
      ...new Array(5).fill('icmp-in'),
      'local-delivery',
      'local-delivery',
    ]);
  });
});

it('an error that does not fit is cut, not answered', () => {
  const { vip, client, far } = ENDS[4];
  const { made, open } = director(4, { method: 'tun' });
  open();
  const quoted = serialiseIp(tcp([vip, 80], [client, 1], ACK, 1432));
  const sent = icmpError([far, vip], [3, 3, 0], quoted, { flags: 2 });
  expect(judged(made.send(frame(sent), 'cli', 0))).toEqual(['forward icmp-in', 'forward fragment']);
});

describe('about our own tunnels', () => {
  const { client, vip, server, inner: own, far } = ENDS[4];

  const TUNNELS = {
    ipip: { tunnel: {}, overhead: 20 },
    gre: { tunnel: { type: 'gre' }, overhead: 24 },
    'gre with checksum': { tunnel: { type: 'gre', checksum: 'csum' }, overhead: 28 },
    gue: { tunnel: { type: 'gue', port: 6081 }, overhead: 32 },
  } as const;

  describe.each(Object.entries(TUNNELS))('%s', (_, { tunnel, overhead }) => {
    const dest = { method: 'tun', tunnel } as const;

    /** A router's error about the outer packet of what `open` sent. */
    function reported(outer: IpPacket, words: [number, number, number], cutAt?: number): Uint8Array {
      return frame(icmpError([ENDS[4].server, own], words, serialiseIp(outer).slice(0, cutAt)), 'srv');
    }

    it('the client hears of it in the words of its own packet', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      const outcomes = made.send(reported(outer, [3, 1, 0]), 'srv', 0);
      expect(judged(outcomes)).toEqual(['drop icmp-consumed', 'forward icmp-relayed']);
      const told = packetOf(outcomes[1]!.frame);
      expect([told.source, told.destination]).toEqual([vip, client].map(parseAnyAddress));
      expect(parseIcmp(told.payload)).toMatchObject({ type: 3, code: 1, rest: 0 });
      expect(toHex(quoteIn(told))).toBe(toHex(serialiseIp(outer).subarray(overhead)));
      // The packet that the error was about, and what the client is told, as in the recording tun-gre-csum-icmp.
      expect(made.services()[0]!.stats).toMatchObject({ outPackets: 2n, outBytes: 40n + 68n });
    });

    it('of several tunnels to one place the one given last counts', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      const verdict = () => judged(made.send(reported(outer, [3, 1, 0]), 'srv', 0))[0];
      const other = { protocol: 'tcp', address: vip, port: 81 } as const;
      const server81 = { address: server, method: 'tun' } as const;
      const unlike: ReferenceDest = overhead === 20 ? { ...server81, tunnel: { type: 'gre' } } : server81;
      // GUE has a port, and therefore a place of its own.
      const hidden = 'port' in tunnel ? 'drop icmp-consumed' : 'local local-delivery';
      made.addService({ ...other, scheduler: 'rr' });
      made.addDest(other, unlike);
      expect(verdict()).toBe(hidden);
      made.editDest({ ...other, port: 80 }, { address: server, ...dest, weight: 7 });
      expect(verdict()).toBe(hidden);
      made.editDest(other, { ...server81, tunnel });
      expect(verdict()).toBe('drop icmp-consumed');
      made.editDest(other, { ...server81, method: 'dr' });
      made.editDest(other, unlike);
      expect(verdict()).toBe(hidden);
      made.deleteDest(other, unlike);
      expect(verdict()).toBe('drop icmp-consumed');
    });

    it('needs the inner header and ports', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      const verdicts = (cutAt: number) => judged(made.send(reported(outer, [11, 0, 0], cutAt), 'srv', 0));
      expect(verdicts(overhead + 24)).toEqual(['drop icmp-consumed', 'forward icmp-relayed']);
      expect(verdicts(overhead + 23)).toEqual(['local local-delivery']);
      expect(verdicts(overhead + 19)).toEqual(['local local-delivery']);
    });

    it('tells the MTU by which the last packet went, and holds the next ones to the new one', () => {
      const { made, open } = director(4, dest);
      const flags = 2;
      const outer = packetOf(made.send(frame(tcp([client, 1], [vip, 80], SYN, 0, { flags })), 'cli', 0)[0]!.frame);
      const mtu = (said: number) => {
        const [, relayed] = made.send(reported(outer, [3, 4, said]), 'srv', 0);
        return parseIcmp(packetOf(relayed!.frame).payload).rest;
      };
      expect(mtu(1300)).toBe(1500 - overhead);
      const fits = (size: number) => {
        const sent = tcp([client, 1], [vip, 80], ACK, size - 40, { flags });
        return judged(made.send(frame(sent), 'cli', 0));
      };
      expect(fits(1301 - overhead)).toEqual(['drop too-big', 'forward fragmentation-needed']);
      expect(fits(1300 - overhead)[0]).toMatch('forward tunnel');
      expect(mtu(1200)).toBe(1200 - overhead);
      expect(judged([open()])[0]).toMatch('forward tunnel');
      expect(judged(made.send(frame(tcp([client, 1], [vip, 80], ACK, 1301 - overhead - 40)), 'cli', 0))).toHaveLength(
        2,
      );
    });

    it('says nothing to who lets its packets be cut', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      expect(judged(made.send(reported(outer, [3, 4, 1300]), 'srv', 0))).toEqual(['drop icmp-consumed']);
    });

    it('a wrong checksum goes nowhere', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      const sent = damaged(icmpError([server, own], [3, 1, 0], serialiseIp(outer)));
      expect(judged(made.send(frame(sent, 'srv'), 'srv', 0))).toEqual(['drop icmp-checksum']);
    });

    it('other tunnels, and other connections, are the host', () => {
      const { made, open } = director(4, dest);
      const outer = packetOf(open().frame);
      const elsewhere = { ...outer, destination: parseAnyAddress('10.1.0.12') } as IpPacket;
      expect(judged(made.send(reported(elsewhere, [3, 1, 0]), 'srv', 0))).toEqual(['local local-delivery']);
      made.advance(1_000_000);
      expect(judged(made.send(reported(outer, [3, 1, 0]), 'srv', 1_000_000))).toEqual(['local local-delivery']);
    });
  });

  it('a dest of another type of tunnel is none', () => {
    const { open } = director(4, { method: 'tun' });
    const outer = serialiseIp(packetOf(open().frame));
    const other = director(4, { method: 'tun', tunnel: { type: 'gre' } });
    other.open();
    const sent = frame(icmpError([server, own], [3, 1, 0], outer), 'srv');
    expect(judged(other.made.send(sent, 'srv', 0))).toEqual(['local local-delivery']);
  });

  it('of IPv6 is the host', () => {
    const { made, open } = director(6, { method: 'tun' });
    const outer = serialiseIp(packetOf(open().frame));
    const sent = icmpError([ENDS[6].server, ENDS[6].inner], [2, 0, 1300], outer);
    expect(judged(made.send(frame(sent, 'srv'), 'srv', 0))).toEqual(['local local-delivery']);
  });

  it('an UDP service hears errors about its own datagrams', () => {
    const made = plainDirector();
    const key = { protocol: 'udp', address: vip, port: 53 } as const;
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: server, port: 5353, method: 'nat' });
    made.send(frame(udp([client, 1], [vip, 53])), 'cli', 0);
    const sent = icmpError([far, vip], [3, 3, 0], serialiseIp(udp([vip, 53], [client, 1])));
    expect(judged(made.send(frame(sent), 'cli', 0))).toEqual(['forward icmp-in']);
  });
});
