/** What a walk says agrees with the frame that leaves, with every way to tell servers their clients, and behind a SYN proxy or not. */
import { expect, test } from 'vitest';
import type { Director } from '../../src/director.js';
import { packetFacts } from '../../src/explain/packet.js';
import { explainPacket, type PacketWalk } from '../../src/explain.js';
import { ACK, counting, FIN, RST } from '../support/packets.js';
import {
  type Ends,
  FULL4,
  FULL6,
  ISN,
  NAT64,
  OFFER,
  ofClient,
  ofServer,
  proxy,
  SERVER_ISN,
  V4,
  V6,
  type Way,
  type Words,
} from '../synproxy/lab.js';
import { parse } from '../synproxy/segments.js';
import { at } from '../synproxy/talk.js';

const WAYS: readonly Way[] = [
  {},
  { profile: 'dpvs' },
  { carry: 'toa' },
  { carry: 'toa', profile: 'alibaba' },
  { carry: 'proxy-v1' },
  { carry: 'proxy-v2' },
];
const CASES = [
  ...[V4, V6].map((ends) => [ends, {}] as const),
  ...[FULL4, FULL6, NAT64].flatMap((ends) => WAYS.map((way) => [ends, way] as const)),
].flatMap(([ends, way]) => [true, false].map((synproxy) => [ends, { ...way, synproxy }] as const));

/** A connection from its SYN to its end; each walk. */
function* walks(director: Director, ends: Ends, isProxied: boolean): Generator<PacketWalk> {
  let now = 0;
  const walk = (frame: Uint8Array, wire: string) => explainPacket(director, frame, wire, now++);
  const numbers = ({ fate }: PacketWalk) => parse(fate.frame.subarray(14));
  const first = walk(ofClient(ends, { options: OFFER }), 'cli');
  yield first;
  // What the client acknowledges, and the first number that its server gets.
  let [ack, asks] = [SERVER_ISN, first];
  const client = (from: number, words: Words = {}) =>
    walk(ofClient(ends, { seq: at(ISN, 1 + from), ack: at(ack, 1), flags: ACK, ...words }), 'cli');
  if (isProxied) {
    ack = numbers(first).seq;
    asks = client(0, { options: { stamps: [1005, 7] } });
    yield asks;
    yield client(0, { payload: counting(9), options: { stamps: [1005, 7] } });
  }
  const { sport, seq: isn } = numbers(asks);
  const server = (words: Words) => walk(ofServer(ends, { dport: sport, ack: at(isn, 1), ...words }), 'srv');
  if (isProxied) yield server({ ack: 7, flags: ACK });
  const synAck = server({ options: { ...OFFER, stamps: [900, 1005] } });
  yield synAck;
  if (!isProxied) ack = numbers(synAck).seq;
  yield client(0);
  yield client(0, { payload: counting(1420 - (ends.client.includes(':') ? 20 : 0)) });
  yield server({ seq: at(SERVER_ISN, 1), flags: ACK, payload: counting(9) });
  yield client(1420, { payload: counting(9), ack: at(ack, 10) });
  yield client(1429, { flags: ACK | FIN, ack: at(ack, 10) });
  yield server({ seq: at(SERVER_ISN, 10), flags: RST | ACK });
}

/** Holds a walk to the frame that left. */
function check({ steps, fate, made }: PacketWalk, name: string): void {
  const { verdict, outInterface, reason, text, frame } = fate;
  const lines = steps.flatMap((step) => step.lines);
  const last = lines.at(-1)!;
  if (verdict !== 'forward') {
    expect(last.found, name).toBe(text);
    return;
  }
  expect(last, name).toMatchObject({ looked: 'out interface', found: expect.stringMatching(`^${outInterface},`) });
  const about = (word: RegExp) => lines.filter(({ looked }) => word.test(looked)).at(-1)!;
  const ip = packetFacts(frame, 'ether').ip!;
  expect(about(/^next hop/).looked, name).toBe(`next hop ${ip.destination}`);
  const said = JSON.stringify(lines);
  const sent = /sends \S+ \S+ \S+ > \S+, (?:MSS \d+, )?(\d+) bytes, (?:TTL|hop limit) (\d+)/.exec(said);
  expect(sent !== null, name).toBe(reason.startsWith('syn-'));
  if (sent !== null) {
    expect([Number(sent[1]), Number(sent[2])], name).toEqual([ip.totalLength, ip.hops]);
    return;
  }
  const own = reason === 'client-address' ? packetFacts(made[0]!.frame, 'ether').ip! : ip;
  const hops = about(/^(TTL|hop limit)/);
  expect(hops.found, name).toBe(hops.looked.endsWith(` ${own.hops}`) ? 'stays' : `becomes ${own.hops}`);
  const bytes = / (\d+) bytes leave/.exec(said);
  if (bytes !== null) expect(Number(bytes[1]), name).toBe(ip.totalLength);
}

test('from the SYN to the RST', () => {
  const seen = new Set<string>();
  for (const [ends, settings] of CASES) {
    for (const walk of walks(proxy(ends, {}, settings), ends, settings.synproxy)) {
      check(walk, `${JSON.stringify({ ...ends, ...settings })}: ${walk.offered}`);
      seen.add(walk.fate.reason);
    }
  }
  expect([...seen].sort()).toEqual([
    ...['client-address', 'fullnat-in', 'fullnat-out', 'nat-in', 'nat-out', 'nat64-in', 'nat64-out', 'syn-cookie'],
    ...['syn-proxied', 'syn-proxy-ack', 'syn-proxy-held', 'syn-proxy-reset'],
  ]);
});
