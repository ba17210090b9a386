/** SYN proxy in front of servers that are told their clients: what the director sends in a client's name names it, as the client's own does. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { decodeClient } from '../../src/toa/index.js';
import { BINARIES } from '../support/core.js';
import { restored } from '../support/fullnat.js';
import { fromClient, fromServer, judged, networkWith } from '../support/lab.js';
import { ACK, counting, FIN, hex, icmp, join, PSH, RST, SYN, toHex } from '../support/packets.js';
import {
  type Ends,
  FULL4,
  FULL6,
  ISN,
  isV6,
  left,
  NAT64,
  ofClient,
  ofServer,
  proxy,
  SERVER_ISN,
  toldOf,
  u32,
  type Way,
  type Words,
} from './lab.js';
import { at, OPTIONS, OWN, packetOf, packets, Talk } from './talk.js';

const WAYS: readonly Way[] = [
  { carry: 'toa', profile: 'linux' },
  { carry: 'toa', profile: 'dpvs' },
  { carry: 'toa', profile: 'alibaba' },
  { carry: 'proxy-v1', profile: 'linux' },
  { carry: 'proxy-v2', profile: 'linux' },
  { carry: 'proxy-v2', profile: 'alibaba' },
];
const ENDS: readonly (readonly [string, Ends])[] = [
  ['IPv4', FULL4],
  ['IPv6', FULL6],
  ['NAT64', NAT64],
];
const CASES: readonly (readonly [string, Ends, Way])[] = [
  ...ENDS.flatMap(([name, ends]) => WAYS.map((way) => [`${name}, ${way.carry}, ${way.profile}`, ends, way] as const)),
  ['NAT64, nothing told', NAT64, { profile: 'linux' }],
];

describe.each(CASES)('%s', (_, ends, way) => {
  const v6 = isV6(ends.client);
  const size = way.carry === 'toa' ? (v6 ? 20 : 8) : 0;

  it('the client is told an MSS that leaves room, and the server the client in its SYN only as its profile has it', () => {
    const talk = new Talk(ends, way);
    const most = v6 ? 1440 : 1460;
    expect(talk.told).toBe(most - size);
    // What a cookie has of it.
    const mss = [1360, 1440, 1452, 1460].filter((each) => each <= talk.told).at(-1)!;
    const offer = join(
      Uint8Array.of(2, 4, mss >> 8, mss & 255),
      talk.isLinux ? join(hex('0402080a'), u32(1005), u32(0)) : hex('04020101'),
      hex('01030309'),
    );
    const tcpOptions = talk.isAlibaba ? join(talk.toa, offer) : offer;
    const syn = { ...OWN, flags: SYN, seq: talk.isn, ack: 0, window: 65_535, tcpOptions };
    expect(toHex(talk.syn)).toBe(talk.expected(syn));
    // Nobody answers: it comes again as it was.
    talk.director.burst.reset();
    expect(talk.director.process(3300)).toBe(1);
    expect(packetOf(talk.director.outcome(0, 3300))).toBe(toHex(talk.syn));
  });

  it('the ACK to its SYN-ACK names the client, who hears of the window alone', () => {
    const talk = new Talk(ends, way);
    const { toa, prefix, isn, cookie } = talk;
    const outcomes = talk.connect();
    expect(judged(outcomes)).toEqual(['forward syn-proxy-ack', 'forward syn-proxy-ack']);
    const tcpOptions = join(toa, talk.stamps(1005, 900));
    const ack = talk.expected({ ...OWN, seq: at(isn, 1), tcpOptions, payload: prefix });
    expect(packets(outcomes, 'srv')).toEqual([ack]);
    const client = { carrier: way.carry, address: ends.client, port: 40_000 };
    expect([decodeClient(outcomes[0]!.frame)]).toMatchObject([way.carry === undefined ? undefined : client]);
    expect(left(outcomes.slice(1))).toMatchObject([{ out: 'cli', seq: at(cookie, 1), ack: at(ISN, 1), flags: ACK }]);
    expect(left(outcomes.slice(1))[0]!.payload).toHaveLength(0);
  });

  it('what was kept follows as if it came now', () => {
    const payload = counting(100);
    const talk = new Talk(ends, way, { payload, flags: ACK | PSH });
    const { toa, prefix, isn } = talk;
    const more = talk.client(100, { payload: counting(7), flags: ACK | FIN });
    expect(judged(more)).toEqual(['held syn-proxy-held']);
    const outcomes = talk.connect();
    const echo = talk.isLinux ? echoOf(outcomes) : 0;
    const sent = packets(outcomes, 'srv').slice(1);
    const hops = talk.forwarded(sent);
    const first = { ...hops[0], seq: at(isn, 1), flags: ACK | PSH, payload: join(prefix, payload) };
    const last = { ...hops[1], seq: at(isn, 101 + prefix.length), flags: ACK | FIN, payload: counting(7) };
    const finToa = talk.isAlibaba ? new Uint8Array(0) : toa;
    expect(sent).toEqual([
      talk.expected({ ...first, tcpOptions: join(toa, talk.stamps(1005, echo)) }),
      talk.expected({ ...last, tcpOptions: join(finToa, talk.stamps(1015, echo)) }),
    ]);
  });

  it('numbers follow both ways until the server has acknowledged what it was told, and afterwards', () => {
    const talk = new Talk(ends, way);
    const { prefix, toa, isn, cookie } = talk;
    talk.connect();
    const n = prefix.length;
    const ahead = (outcomes: readonly Outcome[]) => {
      const { seq, ack, payload, options } = left(outcomes)[0]!;
      return { at: (seq - isn - 1) | 0, ack: (ack - SERVER_ISN - 1) | 0, data: payload.length, toa: options.toa };
    };
    const heard = (got: number, words: Words = {}) => {
      const { seq, ack } = left(talk.server(got, words))[0]!;
      return [(seq - cookie) | 0, (ack - ISN - 1) | 0];
    };
    const tells = toa.length > 0 ? { toa } : {};
    const payload = counting(50);
    expect(ahead(talk.client(0, { payload }))).toEqual({ at: 0, ack: 0, data: n + 50, toa: undefined, ...tells });
    expect(ahead(talk.client(50, { payload }))).toEqual({ at: n + 50, ack: 0, data: 50, toa: undefined, ...tells });
    // A part of the header is nothing to the client.
    expect(heard(0)).toEqual([1, 0]);
    if (n > 0) expect(heard(n - 1)).toEqual([1, 0]);
    expect(heard(n + 50, { payload: counting(20) })).toEqual([1, 50]);
    expect(heard(n + 100, { seq: at(SERVER_ISN, 21), flags: ACK | FIN })).toEqual([21, 100]);
    const acked = talk.client(100, { ack: at(cookie, 21), options: {} });
    expect(ahead(acked)).toEqual({ at: n + 100, ack: 20, data: 0, toa: undefined });
    expect(ahead(talk.client(0, { ack: at(cookie, 21), options: {}, payload }))).toMatchObject({ at: n, data: 50 });
    // The SYN-ACK comes again; its MSS leaves room.
    const again = talk.server(0, { seq: SERVER_ISN, flags: SYN | ACK, options: { mss: 1400 } });
    expect(left(again)[0]).toMatchObject({ out: 'cli', seq: cookie, options: { mss: 1400 - size } });
    expect(judged(talk.client(100, { ack: 0, flags: RST }))[0]).toMatch(/^forward/);
  });

  it('a restored director goes on in the middle of the handshake, and behind it', () => {
    const talk = new Talk(ends, way);
    const next = restored(talk.director);
    const bytes = (outcomes: readonly Outcome[]) => outcomes.map(({ frame }) => toHex(frame));
    expect(bytes(talk.connect(next))).toEqual(bytes(talk.connect()));
    const later = restored(next);
    const data = { payload: counting(3) };
    expect(bytes(talk.client(0, data, later))).toEqual(bytes(talk.client(0, data)));
    expect(toHex(later.snapshot())).toBe(toHex(restored(later).snapshot()));
  });

  it('a RST of either end, and those of the director, carry nothing', () => {
    const talk = new Talk(ends, way);
    const refused = talk.server(0, { seq: 0, flags: RST | ACK });
    expect(left(refused)).toMatchObject([{ out: 'cli', seq: at(talk.cookie, 1), ack: at(ISN, 1), flags: RST | ACK }]);
    expect(talk.director.connectionCount).toBe(0);
    const other = new Talk(ends, way);
    const lost = other.server(77, { flags: ACK });
    expect(packets(lost, 'srv')).toEqual([
      other.expected({ ...OWN, seq: at(other.isn, 78), ack: 0, flags: RST, window: 0 }),
    ]);
    const third = new Talk(ends, way);
    third.connect();
    // It was told the client's header: what comes behind that has another number.
    expect(left(third.client(0, { flags: RST, options: {} }))[0]).toMatchObject({
      seq: at(third.isn, 1 + third.prefix.length),
      flags: RST,
    });
  });
});

/** What the server gets as its own timestamp where the client has sent 7: less what the director's are ahead. */
function echoOf(outcomes: readonly Outcome[]): number {
  const update = left(outcomes.filter(({ outInterface }) => outInterface === 'cli'))[0]!;
  return at(7, 900 - update.options.stamps![0]);
}

/** An error that quotes a packet, with its header and 8 bytes behind that; of those that tell an MTU. */
function tooBig(source: string, destination: string, mtu: number, about: Uint8Array): Uint8Array {
  const v6 = isV6(source);
  return icmp({ source, destination }, v6 ? 2 : 3, v6 ? 0 : 4, about.subarray(0, v6 ? 48 : 28), mtu);
}

describe.each(ENDS)('%s', (_, ends) => {
  const v6 = isV6(ends.client);
  const isServerV6 = isV6(ends.server);
  const [header, inner] = [v6 ? 40 : 20, isServerV6 ? 40 : 20];
  const router = isServerV6 ? 'fd00:1::fe' : '10.1.0.254';
  const told = (director: Director, error: Uint8Array) => {
    const [outcome] = director.send(fromServer(error), 'srv', 7);
    expect(judged([outcome!])).toEqual(['forward icmp-out']);
    const message = outcome!.frame.subarray(14 + header);
    const view = new DataView(message.buffer, message.byteOffset);
    return { mtu: view.getUint32(4), number: view.getUint32(8 + header + 4) };
  };

  it.each([
    ['toa', v6 ? 20 : 8],
    ['proxy-v1', v6 ? 39 : 41],
    ['proxy-v2', v6 ? 52 : 28],
  ] as const)('errors of routers: an MTU is less by what %s takes, quoted numbers are the ends’ own', (carry, size) => {
    const talk = new Talk(ends, { carry, profile: 'linux' });
    const mtu = 1400 + header - inner - size;
    expect(told(talk.director, tooBig(router, ends.local!, 1400, talk.syn))).toEqual({ mtu, number: ISN });
    const [ack] = talk.connect();
    expect(told(talk.director, tooBig(router, ends.local!, 1400, ack!.frame.subarray(14)))).toEqual({
      mtu,
      number: at(ISN, 1),
    });
    const [reply] = talk.server(0, { payload: counting(9) });
    const error = tooBig(ends.client, ends.vip, 1400, reply!.frame.subarray(14));
    const [outcome] = talk.director.send(fromClient(error), 'cli', 8);
    expect(judged([outcome!])).toEqual(['forward icmp-in']);
    const quoted = outcome!.frame.subarray(14 + inner + 8 + inner);
    expect(new DataView(quoted.buffer, quoted.byteOffset).getUint32(4)).toBe(at(SERVER_ISN, 1));
  });

  it('an MSS is not told less than every host takes, if it was not', () => {
    const most = v6 ? [1240, 1241, 1239, 1219, 1260] : [536, 537, 544, 545, 1460];
    const tells = v6 ? [1200, 1201, 1200, 1199, 1220] : [528, 529, 536, 537, 1452];
    for (const [i, synproxy_mss] of most.entries()) {
      const talk = new Talk(ends, { carry: 'toa', profile: 'linux' }, {}, { sysctl: { synproxy_mss } });
      expect(talk.told).toBe(tells[i]);
    }
  });

  it('by firewall mark the same', () => {
    const director = proxy(ends, OPTIONS);
    const key = { fwmark: 7, family: v6 ? 6 : 4 } as const;
    director.addService({ ...key, synproxy: true, carry: 'toa', localAddresses: [ends.local!] });
    director.addDest(key, { address: ends.server, port: 8080, method: 'fullnat' });
    const mark = { mark: 7 };
    const [answer] = left(director.send(ofClient(ends, { dport: 81 }), 'cli', 0, mark));
    expect(answer!.options.mss).toBe(v6 ? 1420 : 1452);
    const words = { dport: 81, seq: at(ISN, 1), ack: at(answer!.seq, 1), flags: ACK };
    const [syn] = left(director.send(ofClient(ends, words), 'cli', 0, mark));
    const frame = ofServer(ends, { dport: syn!.sport, ack: at(syn!.seq, 1), options: { mss: 1460 } });
    const [ack] = director.send(frame, 'srv', 1);
    expect(decodeClient(ack!.frame)).toMatchObject({ address: ends.client, port: 40_000 });
  });
});

it.each(ENDS.slice(0, 2))('%s: a dest by NAT is told nothing', (_, ends) => {
  const nat = { client: ends.client, vip: ends.vip, server: ends.server };
  const director = proxy(nat, OPTIONS, { carry: 'toa' });
  const [answer] = left(director.send(ofClient(nat, {}), 'cli', 0));
  expect(answer!.options.mss).toBe(isV6(ends.client) ? 1420 : 1452);
  const words = { seq: at(ISN, 1), ack: at(answer!.seq, 1), flags: ACK };
  director.send(ofClient(nat, words), 'cli', 0);
  const [ack] = left(director.send(ofServer(nat, { options: { mss: 1460 } }), 'srv', 1));
  expect(ack).toMatchObject({ out: 'srv', seq: at(ISN, 1), options: {} });
});

it.each(['proxy-v1', 'proxy-v2'] as const)(
  '%s without room in the MTU: the ACK goes without, and it is counted',
  (carry) => {
    const way = { carry, profile: 'linux' } as const;
    const size = toldOf(way, FULL4).prefix.length;
    for (const [mtu, lost] of [
      [52 + size, 0],
      [51 + size, 1],
    ] as const) {
      const talk = new Talk(FULL4, way, {}, { network: networkWith({ srv: { mtu } }) });
      const [ack] = left(talk.connect());
      expect(ack).toMatchObject({ seq: at(talk.isn, 1 + lost * size), flags: ACK });
      expect(ack!.payload).toHaveLength((1 - lost) * size);
      expect(talk.director.counters()['client-address-lost']).toBe(BigInt(lost));
      // What has the first byte next has it, where there is room.
      const [early] = talk.client(0, { flags: RST, options: {} });
      expect(left([early!])[0]!.seq).toBe(at(talk.isn, 1 + (1 - lost) * size));
    }
  },
);

describe.each(BINARIES)('%s', (binary) => {
  it.each(ENDS)('%s: tells the client in every binary', (_, ends) => {
    for (const way of WAYS) {
      const talk = new Talk(ends, way, { payload: counting(3) }, { binary });
      const [ack, , kept] = talk.connect();
      for (const { frame } of [ack!, kept!]) {
        expect(decodeClient(frame)).toMatchObject({ address: ends.client, port: 40_000 });
      }
    }
  });
});
