/** Both ends of a connection that times out are told, with the number that each expects (docs/expiry.md). */
import { describe, expect, it } from 'vitest';
import type { Director, DirectorOptions } from '../../src/director.js';
import type { DestConfig, ServiceSettings } from '../../src/types.js';
import { BINARIES, type Binary } from '../support/core.js';
import { NOW, restored } from '../support/fullnat.js';
import { lab, MAC, NETWORK, SERVERS, VIP } from '../support/lab.js';
import { fromClient as asked, fromServer as atDirector, nat64, numbersOf, opened } from '../support/nat64.js';
import { ACK, ethernet, FIN, hex, RST, SYN } from '../support/packets.js';
import {
  acknowledge,
  FULL4,
  FULL6,
  ISN,
  left,
  OFFER,
  ofClient,
  ofServer,
  proxy,
  SERVER_ISN,
  V4,
  V6,
  type Words,
} from '../synproxy/lab.js';

const ON = { sysctl: { conn_expire_tcp_rst: 1 } };
const TIMEOUT = 900_000;
/** Any frame: what is owed comes behind it. */
const NOTHING = ethernet(MAC.cli, MAC.client, hex('00'), 0x88cc);
const ENDS = { 'NAT, IPv4': V4, 'NAT, IPv6': V6, 'FullNAT, IPv4': FULL4, 'FullNAT, IPv6': FULL6 };
type Ends = (typeof ENDS)[keyof typeof ENDS];
const PLAN = { connections: 64, connections6: 64, extensions: 64, localAddresses: 2, arenaBytes: 1 << 17 };

function director(
  ends: Ends,
  settings: ServiceSettings = {},
  options: DirectorOptions & { binary?: Binary } = {},
): Director {
  const isFull = 'local' in ends;
  const dest: DestConfig = { address: ends.server, port: 8080, method: isFull ? 'fullnat' : 'nat' };
  const key = { protocol: 'tcp', address: ends.vip, port: 80 } as const;
  const locals = isFull ? { localAddresses: [ends.local!] } : {};
  return lab([dest], { ...ON, plan: PLAN, ...options }, { ...locals, ...settings }, [key]);
}

/** The frames that are owed at that time. */
const owed = (of: Director, now: number) => left(of.send(NOTHING, 'cli', now));

class Session {
  readonly director: Director;
  readonly #ends: Ends;
  /** As the server sees it. */
  dport = 0;
  isn = 0;

  constructor(ends: Ends, of: Director) {
    this.#ends = ends;
    this.director = of;
  }

  client(words: Words, now = 0) {
    return left(this.director.send(ofClient(this.#ends, words), 'cli', now));
  }

  server(words: Words, now = 0) {
    return left(this.director.send(ofServer(this.#ends, { dport: this.dport, ...words }), 'srv', now));
  }

  /** Up to the client's last word of the handshake. */
  begin(now = 0): this {
    const [syn] = this.client({}, now);
    this.dport = syn!.sport;
    this.isn = syn!.seq;
    this.server({ ack: (this.isn + 1) >>> 0 }, now);
    this.client({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK }, now);
    return this;
  }

  /** What both hear in the end: number, flags and what is acknowledged. */
  end(now: number) {
    const resets = owed(this.director, now);
    const by = (side: string) => resets.filter(({ out }) => out === side);
    const short = ({ seq, ack, flags, window, sport, dport }: (typeof resets)[number]) => ({
      seq,
      ack,
      flags,
      window,
      sport,
      dport,
    });
    return { count: resets.length, client: by('cli').map(short)[0], server: by('srv').map(short)[0] };
  }
}

const reset = (seq: number, sport: number, dport: number) => ({
  seq: seq >>> 0,
  ack: 0,
  flags: RST,
  window: 0,
  sport,
  dport,
});

describe.each(Object.entries(ENDS))('%s', (_, ends) => {
  const session = () => new Session(ends, director(ends));

  it('a connection that says nothing after its handshake: both hear what they expect', () => {
    const one = session().begin();
    expect(one.end(TIMEOUT - 1).count).toBe(0);
    expect(one.end(TIMEOUT + 256)).toEqual({
      count: 2,
      client: reset(SERVER_ISN + 1, 80, 40_000),
      server: reset(one.isn + 1, one.dport, 8080),
    });
    expect(one.director.connectionCount).toBe(0);
    expect(one.end(TIMEOUT + 10_000).count).toBe(0);
    expect(one.director.counters()['expired-reset']).toBe(2n);
  });

  it('the last acknowledgment of each counts, whichever way segments have overtaken each other', () => {
    const one = session().begin();
    const payload = new Uint8Array(100);
    one.client({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK, payload }, 10);
    one.server({ seq: (SERVER_ISN + 1) >>> 0, ack: (one.isn + 101) >>> 0, flags: ACK, payload }, 20);
    one.server({ seq: (SERVER_ISN + 1) >>> 0, ack: (one.isn + 51) >>> 0, flags: ACK }, 30);
    one.client({ seq: ISN + 101, ack: (SERVER_ISN + 101) >>> 0, flags: ACK }, 40);
    one.client({ seq: ISN + 101, ack: (SERVER_ISN + 31) >>> 0, flags: ACK }, 50);
    expect(one.end(TIMEOUT + 512)).toMatchObject({
      client: { seq: (SERVER_ISN + 101) >>> 0 },
      server: { seq: (one.isn + 101) >>> 0 },
    });
  });

  it('what could not be a segment is not heard', () => {
    const one = session().begin();
    one.client({ seq: ISN + 1, ack: 5000, flags: ACK | SYN | 0x20 }, 10);
    expect(one.end(TIMEOUT + 512)).toMatchObject({ client: { seq: (SERVER_ISN + 1) >>> 0 } });
  });

  it('half-open and closing connections end without a word', () => {
    const half = session();
    half.client({});
    expect(half.end(61_000)).toMatchObject({ count: 0 });
    expect(half.director.connectionCount).toBe(0);
    const closing = session().begin();
    closing.client({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK | FIN });
    expect(closing.end(121_000)).toMatchObject({ count: 0 });
    expect(closing.director.connectionCount).toBe(0);
  });

  it('without the sysctl nobody is told, whenever it is off', () => {
    const off = new Session(ends, director(ends, {}, { sysctl: {} })).begin();
    off.director.setSysctl({ conn_expire_tcp_rst: 1 });
    expect(off.end(TIMEOUT + 512).count).toBe(0);
    const later = session().begin();
    later.director.advance(TIMEOUT + 512);
    later.director.setSysctl({ conn_expire_tcp_rst: 0 });
    expect(later.end(TIMEOUT + 512).count).toBe(0);
    expect([off, later].map((one) => one.director.connectionCount)).toEqual([0, 0]);
  });

  it('advance tells nobody: the next process does, and so does a director restored from a snapshot', () => {
    const one = session().begin();
    one.director.advance(TIMEOUT + 300);
    expect(one.director.connections(TIMEOUT + 300)).toEqual([]);
    const next = restored(one.director);
    const [told, again] = [one.end(TIMEOUT + 300), new Session(ends, next).end(TIMEOUT + 300)];
    expect(told.count).toBe(2);
    expect(again).toEqual(told);
  });

  it('a snapshot in the middle keeps what both expect', () => {
    const one = session().begin();
    const next = new Session(ends, restored(one.director));
    next.dport = one.dport;
    next.server({ seq: (SERVER_ISN + 1) >>> 0, ack: (one.isn + 11) >>> 0, flags: ACK }, 5000);
    expect(next.end(TIMEOUT + 5512)).toMatchObject({
      count: 2,
      client: { seq: (SERVER_ISN + 1) >>> 0 },
      server: { seq: (one.isn + 11) >>> 0 },
    });
  });

  it('a packet that comes before its ends are told lets it live', () => {
    const one = session().begin();
    const words = { seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK };
    // Due, but the unit of 256 ms is not over.
    expect((TIMEOUT + 1) >> 8).toBe(TIMEOUT >> 8);
    expect(one.client(words, TIMEOUT + 1)).toHaveLength(1);
    expect(one.end(TIMEOUT + 1000).count).toBe(0);
    expect(one.end(2 * TIMEOUT + 1000).count).toBe(2);
  });

  it('behind a SYN proxy: the client expects what its cookie said, the server what it said itself', () => {
    const of = proxy(ends, { ...ON, plan: PLAN });
    const [answer] = left(of.send(ofClient(ends, { options: OFFER }), 'cli', 0));
    const [syn] = left(of.send(ofClient(ends, acknowledge(answer!.seq)), 'cli', 0));
    const words = { dport: syn!.sport, ack: (syn!.seq + 1) >>> 0, options: OFFER };
    expect(left(of.send(ofServer(ends, words), 'srv', 0))).toHaveLength(2);
    const [first, second] = [...owed(of, TIMEOUT + 512)].sort((a, b) => (a.out < b.out ? -1 : 1));
    expect(first).toMatchObject({ out: 'cli', seq: (answer!.seq + 1) >>> 0, flags: RST });
    expect(second).toMatchObject({ out: 'srv', seq: (syn!.seq + 1) >>> 0, flags: RST });
  });

  it('a connection that is established once more begins anew, and knows nothing while the sysctl is off', () => {
    for (const isProxied of [false, true]) {
      for (const isOn of [1, 0] as const) {
        const of = isProxied ? proxy(ends, { ...ON, plan: PLAN }) : director(ends);
        const one = new Session(ends, of);
        const [told] = one.client({});
        const first = isProxied ? one.client(acknowledge(told!.seq, {}))[0]! : told!;
        const number = isProxied ? told!.seq : SERVER_ISN;
        one.dport = first.sport;
        const ack = (first.seq + 1) >>> 0;
        one.server({ ack });
        if (!isProxied) one.client({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK });
        one.server({ seq: (SERVER_ISN + 1) >>> 0, ack, flags: ACK | FIN });
        one.client({ seq: ISN + 500 });
        expect(of.connections(0)).toMatchObject([{ state: 'SYN_RECV' }]);
        of.setSysctl({ conn_expire_tcp_rst: isOn });
        one.server({ seq: (SERVER_ISN + 2) >>> 0, ack, flags: ACK });
        expect(of.connections(0)).toMatchObject([{ state: 'ESTABLISHED' }]);
        of.setSysctl({ conn_expire_tcp_rst: 1 });
        const expected = { client: { seq: (number + 2) >>> 0 }, server: { seq: ack } };
        expect(one.end(TIMEOUT + 512)).toMatchObject(isOn === 1 ? expected : { count: 0 });
      }
    }
  });

  it('a SYN that establishes a connection counts as a number', () => {
    const one = session();
    const [syn] = one.client({});
    one.dport = syn!.sport;
    one.server({ flags: RST | ACK, ack: (syn!.seq + 1) >>> 0 });
    one.server({ flags: SYN, ack: 0 });
    one.client({ seq: ISN + 9, ack: (SERVER_ISN + 1) >>> 0, flags: SYN | ACK });
    expect(one.director.connections(0)).toMatchObject([{ state: 'ESTABLISHED' }]);
    expect(one.end(TIMEOUT + 512)).toMatchObject({
      client: { seq: (SERVER_ISN + 1) >>> 0 },
      server: { seq: (syn!.seq + 10) >>> 0 },
    });
  });

  it('is heard of an established connection, too, whose timeout has become another', () => {
    const one = session().begin();
    one.director.setTimeouts({ tcp: 500 });
    one.server({ seq: (SERVER_ISN + 1) >>> 0, ack: (one.isn + 11) >>> 0, flags: ACK });
    expect(one.end(TIMEOUT + 512)).toMatchObject({ server: { seq: (one.isn + 11) >>> 0 } });
  });

  it('is equal in every binary', () => {
    const all = BINARIES.map((binary) => new Session(ends, director(ends, {}, { binary })).begin().end(TIMEOUT + 512));
    expect(all.map((one) => JSON.stringify(one))).toEqual(all.map(() => JSON.stringify(all[0])));
  });
});

it('NAT64: each end hears it in its own family', () => {
  const of = nat64({}, ON, ['tcp']);
  const isn = 1001 + opened(of);
  of.send(atDirector({ flags: SYN | ACK, seq: 70, ack: isn }), 'srv', NOW);
  of.send(asked({ flags: ACK, seq: 1001, ack: 71 }), 'cli', NOW);
  const [, ...resets] = of.send(new Uint8Array(1), 'cli', NOW + TIMEOUT + 512);
  const told = resets.map(({ outInterface, frame }) => [outInterface, frame[0]! >> 4, numbersOf(frame), frame.length]);
  expect(told).toEqual([
    ['srv', 4, { seq: isn >>> 0, ack: 0 }, 40],
    ['cli', 6, { seq: 71, ack: 0 }, 60],
  ]);
});

it("the header of the PROXY protocol counts once the server has it, in the server's own numbers", () => {
  for (const isHeard of [false, true]) {
    const one = new Session(FULL4, director(FULL4, { carry: 'proxy-v2' })).begin();
    const payload = new Uint8Array(10);
    one.client({ seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK, payload });
    if (isHeard) one.server({ seq: (SERVER_ISN + 1) >>> 0, ack: (one.isn + 1 + 28 + 10) >>> 0, flags: ACK });
    expect(one.end(TIMEOUT + 512).server?.seq).toBe((one.isn + 1 + (isHeard ? 38 : 0)) >>> 0);
  }
});

it('a NAT connection without a free extension ends without a word, and no other is refused for it', () => {
  const one = new Session(V4, director(V4, {}, { plan: { ...PLAN, extensions: 1 } })).begin();
  for (const sport of [41_000, 42_000]) {
    one.client({ sport });
    one.client({ sport, seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK });
  }
  expect(one.director.connectionCount).toBe(3);
  expect(one.end(TIMEOUT + 512).count).toBe(2);
  expect(one.director.connectionCount).toBe(0);
});

it('who cannot be reached is not told', () => {
  const neighbours = NETWORK.neighbours!.filter(({ dst }) => dst !== SERVERS[0]);
  const one = new Session(V4, director(V4)).begin();
  one.director.setNetwork({ ...NETWORK, neighbours });
  expect(one.end(TIMEOUT + 512)).toMatchObject({ count: 1, server: undefined });
});

it('DR has nobody to tell: its answers go past the director', () => {
  const of = lab([{ address: SERVERS[0], method: 'dr' }], { ...ON, plan: PLAN });
  const one = new Session(V4, of);
  one.client({});
  one.client({ seq: ISN + 1, ack: 7, flags: ACK });
  expect(of.connections(0)[0]?.state).toBe('ESTABLISHED');
  expect(one.end(TIMEOUT + 512).count).toBe(0);
});

it("FTP's control connection is told when it controls nobody any more", () => {
  const network = { ...NETWORK, ip_vs_ftp: {} };
  const key = { protocol: 'tcp', address: VIP, port: 21 } as const;
  const of = lab([{ address: SERVERS[0], port: 21, method: 'nat' }], { ...ON, plan: PLAN, network }, {}, [key]);
  const one = new Session(V4, of);
  const server = (words: Words) =>
    of.send(ofServer(V4, { sport: 21, dport: 40_000, ...words }), 'srv', 0).map(({ reason }) => reason);
  one.client({ dport: 21 });
  server({});
  one.client({ dport: 21, seq: ISN + 1, ack: (SERVER_ISN + 1) >>> 0, flags: ACK });
  const reply = new TextEncoder().encode('227 Entering Passive Mode (10,1,0,11,156,64).\r\n');
  one.client({
    dport: 21,
    seq: ISN + 1,
    ack: (SERVER_ISN + 1) >>> 0,
    flags: ACK,
    payload: new TextEncoder().encode('PASV\r\n'),
  });
  server({ seq: (SERVER_ISN + 1) >>> 0, ack: ISN + 7, flags: ACK, payload: reply });
  expect(of.connectionCount).toBe(2);
  expect(one.end(TIMEOUT + 512)).toMatchObject({ count: 2, server: { seq: ISN + 7, dport: 21 } });
});

it('hundreds are told in several calls, each once', () => {
  const of = director(V4, {}, { plan: { ...PLAN, connections: 400, extensions: 400, arenaBytes: 1 << 20 } });
  const one = new Session(V4, of);
  for (let sport = 10_000; sport < 10_300; sport++) {
    one.client({ sport });
    one.client({ sport, seq: ISN + 1, ack: 7, flags: ACK });
  }
  const told = [0, 1, 2].map((i) => owed(of, TIMEOUT + 512 + i));
  expect(told.map(({ length }) => length)).toEqual([512, 88, 0]);
  expect(new Set(told.flat().map(({ out, sport, dport }) => `${out} ${sport} ${dport}`)).size).toBe(600);
  expect(of.connectionCount).toBe(0);
});

it('who speaks while others are told lives on', () => {
  const of = director(V4, {}, { plan: { ...PLAN, connections: 400, extensions: 400, arenaBytes: 1 << 20 } });
  const one = new Session(V4, of);
  const said = (sport: number): Words => ({ sport, seq: ISN + 1, ack: 7, flags: ACK });
  for (let sport = 10_000; sport < 10_300; sport++) {
    one.client({ sport });
    one.client(said(sport));
  }
  of.burst.reset();
  for (let sport = 10_200; sport < 10_300; sport++) {
    const frame = ofClient(V4, said(sport));
    of.burst.reserve(frame.length, of.interfaceIndex('cli')).set(frame);
    of.burst.commit(frame.length);
  }
  const reasons = Array.from({ length: of.process(TIMEOUT + 512) }, (_, i) => of.outcome(i, TIMEOUT + 512).reason);
  const speaking = reasons.filter((reason) => reason === 'nat-in').length;
  expect(speaking).toBeGreaterThan(0);
  expect(owed(of, TIMEOUT + 1024)).toHaveLength(2 * (44 - speaking));
  expect(of.connectionCount).toBe(speaking);
});

it('a burst without room for all of it tells the others with the next one', () => {
  const of = director(V4, {}, { plan: { ...PLAN, arenaBytes: 1 << 16 } });
  const one = new Session(V4, of);
  for (let sport = 10_000; sport < 10_064; sport++) {
    one.client({ sport });
    one.client({ sport, seq: ISN + 1, ack: 7, flags: ACK });
  }
  const { burst } = of;
  let total = 0;
  for (let calls = 0; calls < 200 && of.connectionCount > 0; calls++) {
    burst.reset();
    // Frames that were given leave less and less of the arena.
    for (let i = 0; i < 60 - calls; i++) {
      if (!burst.hasRoom(1000)) break;
      burst.reserve(1000, 1).fill(0);
      burst.commit(1000);
    }
    const given = burst.length;
    total += of.process(TIMEOUT + 1000) - given;
  }
  expect(total).toBe(128);
});
