/** Behind a SYN proxy servers are told who their client is, and NAT64 leads to them: what the director itself says to both ends. */
import { describe, expect, it } from 'vitest';
import { ReferenceDirector, type ReferenceService, type ReferenceSysctl } from '../../src/reference/index.js';
import { decodeClient } from '../../src/toa/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { NETWORK, networkWith, onV6, SERVERS, TCP_KEY, VIP } from '../support/lab.js';
import { ACK, FIN, icmp, RST, SYN } from '../support/packets.js';
import {
  type Ends,
  FULL4,
  FULL6,
  ISN,
  OFFER,
  ofClient,
  ofServer,
  SERVER_ISN,
  V6,
  type Words,
} from '../synproxy/lab.js';
import type { Options } from '../synproxy/segments.js';
import { judged } from './builders.js';
import { hex, toHex } from './support.js';

const NAT64: Ends = { ...V6, server: SERVERS[0], local: '10.1.0.1' };
const WORLDS = [
  ['IPv4', FULL4],
  ['IPv6', FULL6],
  ['NAT64', NAT64],
] as const;

const HEADERS = {
  'proxy-v1': {
    4: Buffer.from('PROXY TCP4 10.0.0.2 10.0.0.100 40000 80\r\n'),
    6: Buffer.from('PROXY TCP6 fd00::2 fd00::100 40000 80\r\n'),
  },
  'proxy-v2': {
    4: hex('0d0a0d0a000d0a515549540a 2111 000c 0a000002 0a000064 9c40 0050'),
    6: hex(`0d0a0d0a000d0a515549540a 2121 0024 fd00${'0'.repeat(27)}2 fd00${'0'.repeat(25)}100 9c40 0050`),
  },
} as const;

const at = (base: number, offset: number): number => (base + offset) >>> 0;
const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i + 1);

/** A segment that left, options as they stand. */
function read(bytes: Uint8Array) {
  const isV6 = bytes[12] === 0x86;
  const ip = bytes.subarray(14);
  const from = isV6 ? 40 : 20;
  const view = new DataView(ip.buffer, ip.byteOffset + from, ip.length - from);
  const header = (view.getUint8(12) >> 4) * 4;
  return {
    ...{ isV6, seq: view.getUint32(4), ack: view.getUint32(8), flags: view.getUint8(13), sport: view.getUint16(0) },
    options: toHex(ip.slice(from + 20, from + header)),
    payload: toHex(ip.slice(from + header)),
    client: decodeClient(bytes)?.address,
    ip,
  };
}

class Handshake {
  readonly director: ReferenceDirector;
  readonly ends: Ends;
  #cookie = 0;
  #sport = 0;
  #begun = 0;

  constructor(
    ends: Ends,
    service: Partial<ReferenceService>,
    sysctl: ReferenceSysctl = {},
    network: NetworkConfig = NETWORK,
  ) {
    this.ends = ends;
    this.director = new ReferenceDirector({ network, sysctl });
    const key = ends.vip === VIP ? TCP_KEY : onV6(TCP_KEY);
    this.director.addService({ ...key, scheduler: 'rr', synproxy: true, localAddresses: [ends.local!], ...service });
    this.director.addDest(key, { address: ends.server, port: 8080, method: 'fullnat' });
  }

  client(words: Words) {
    return this.director.send(ofClient(this.ends, words), 'cli', 0);
  }

  /** In the server's numbers. */
  server(words: Words) {
    return this.director.send(ofServer(this.ends, { dport: this.#sport, ...words }), 'srv', 0);
  }

  /** What the client is told. */
  offer(options = OFFER) {
    const answer = read(this.client({ options })[0]!.frame);
    this.#cookie = answer.seq;
    return answer;
  }

  /** The SYN that the server gets. */
  ask(words: Words = {}) {
    const options = { stamps: [1005, 7] as const };
    const syn = read(this.client({ seq: ISN + 1, ack: at(this.#cookie, 1), flags: ACK, options, ...words })[0]!.frame);
    this.#sport = syn.sport;
    this.#begun = syn.seq;
    return syn;
  }

  /** What becomes of the server's SYN-ACK. */
  answer(options: Options = { ...OFFER, stamps: [900, 1005] }) {
    return this.server({ ack: at(this.#begun, 1), options });
  }

  get cookie(): number {
    return this.#cookie;
  }

  get begun(): number {
    return this.#begun;
  }
}

/** Opened, with the acknowledgment that the server got. */
function opened(...words: ConstructorParameters<typeof Handshake>) {
  const talk = new Handshake(...words);
  talk.offer();
  talk.ask();
  const [ack, update] = talk.answer().map((outcome) => read(outcome.frame));
  return { talk, ack: ack!, update: update! };
}

describe.each(WORLDS)('%s', (_, ends) => {
  const family = ends.vip === VIP ? 4 : 6;
  const toa = { 4: 'fe089c400a000002', 6: `fe149c40fd00${'0'.repeat(27)}2` }[family];
  const alibabas = { 4: toa, 6: toa.replace('fe14', 'fd14') }[family];
  const stamps = (one: string, other: string) => `0101080a${one}${other}`;

  it.each(
    {
      4: [
        [1460, 1452],
        [540, 532],
        [536, 528],
      ],
      6: [
        [1460, 1420],
        [1230, 1200],
        [1200, 1180],
      ],
    }[family] as [number, number][],
  )('with TOA clients are told less than a synproxy_mss of %i: %i', (mss, told) => {
    const mssOf = (options: string) => Number.parseInt(options.slice(4, 8), 16);
    const talk = new Handshake(ends, { carry: 'toa' }, { synproxy_mss: mss });
    expect(mssOf(talk.offer().options)).toBe(told);
    // The largest known size that is no larger.
    expect(mssOf(talk.ask().options)).toBeLessThanOrEqual(told);
    const other = new Handshake(ends, { carry: 'proxy-v2' }, { synproxy_mss: mss });
    expect(mssOf(other.offer().options)).toBe(family === 4 ? mss : mss - 20);
  });

  it.each(['linux', 'dpvs'] as const)('TOA stands in the acknowledgment that the server gets (%s)', (profile) => {
    const talk = new Handshake(ends, { carry: 'toa', profile });
    talk.offer();
    expect(talk.ask().client).toBeUndefined();
    const isTimed = profile === 'linux';
    const [ack, update] = talk.answer().map(({ frame }) => read(frame));
    const behind = isTimed ? stamps('000003ed', '00000384') : '';
    expect(ack).toMatchObject({ seq: at(talk.begun, 1), ack: at(SERVER_ISN, 1), flags: ACK, options: toa + behind });
    expect(ack!.client).toBe(ends.client);
    expect(update).toMatchObject({ seq: at(talk.cookie, 1), ack: ISN + 1, client: undefined });
  });

  it('with alibaba it stands in the SYN, too, each time', () => {
    const talk = new Handshake(ends, { carry: 'toa', profile: 'alibaba' });
    talk.offer();
    const syn = talk.ask();
    expect(syn.options.slice(0, alibabas.length + 4)).toBe(`${alibabas}0204`);
    const again = talk.director.send(ofClient(ends, { sport: 9, flags: ACK, seq: 5, ack: 5 }), 'cli', 3300);
    expect(judged(again)).toEqual(['local bad-cookie', 'forward syn-proxied']);
    expect(read(again[1]!.frame)).toMatchObject({ seq: syn.seq, options: syn.options });
    const ack = read(talk.answer()[0]!.frame);
    expect(ack.options).toBe(alibabas);
  });

  it('a cookie told timestamps: with alibaba there is room for both', () => {
    const talk = new Handshake(ends, { carry: 'toa' });
    talk.offer();
    const key = ends.vip === VIP ? TCP_KEY : onV6(TCP_KEY);
    talk.director.editService({ ...key, scheduler: 'rr', synproxy: true, carry: 'toa', profile: 'alibaba' });
    const { options } = talk.ask();
    expect(options).toContain('080a000003ed00000000');
    expect(options.startsWith(alibabas)).toBe(true);
  });

  it('TOA goes on until the server has got data', () => {
    const { talk } = opened(ends, { carry: 'toa' });
    const say = (ack: number) => read(talk.client({ seq: ISN + 1, ack: at(talk.cookie, ack), flags: ACK })[0]!.frame);
    expect([say(1), say(1), say(2)].map(({ client }) => client)).toEqual([ends.client, ends.client, undefined]);
  });

  it.each(['proxy-v1', 'proxy-v2'] as const)(
    '%s stands in the acknowledgment, and in front of the first data',
    (carry) => {
      const header = HEADERS[carry][family];
      const n = header.length;
      const { talk, ack } = opened(ends, { carry });
      expect(ack).toMatchObject({ seq: at(talk.begun, 1), ack: at(SERVER_ISN, 1), flags: ACK, payload: toHex(header) });
      const say = (words: Words) =>
        read(talk.client({ seq: ISN + 1, ack: at(talk.cookie, 1), flags: ACK, payload: data(3), ...words })[0]!.frame);
      expect(say({})).toMatchObject({ seq: at(talk.begun, 1), payload: `${toHex(header)}010203` });
      expect(say({ seq: ISN + 4 })).toMatchObject({ seq: at(talk.begun, 4 + n), payload: '010203' });
      const hear = (behind: number) =>
        read(talk.server({ seq: SERVER_ISN + 1, ack: at(talk.begun, behind), flags: ACK })[0]!.frame).ack;
      expect([hear(1), hear(5), hear(1 + n), hear(4 + n)]).toEqual([1, 1, 1, 4].map((each) => at(ISN, each)));
      expect(say({})).toMatchObject({ seq: at(talk.begun, 1 + n), payload: '010203' });
    },
  );

  it.each(['proxy-v1', 'proxy-v2'] as const)('%s: nobody names himself', (carry) => {
    const { talk } = opened(ends, { carry });
    const early = { seq: ISN - 2, ack: at(talk.cookie, 1), flags: ACK, payload: data(3) };
    expect(judged(talk.client(early))).toEqual(['drop tcp-option']);
  });

  it.each(['proxy-v1', 'proxy-v2'] as const)('%s: a RST is moved once the header was sent', (carry) => {
    const { length } = HEADERS[carry][family];
    const { talk } = opened(ends, { carry });
    const reset = talk.client({ seq: ISN + 1, ack: at(talk.cookie, 1), flags: RST });
    expect(read(reset[0]!.frame)).toMatchObject({ seq: at(talk.begun, 1 + length), flags: RST });
  });

  it.each(['proxy-v1', 'proxy-v2'] as const)(
    '%s: without a neighbour it was not sent, and goes with the first data',
    (carry) => {
      const header = toHex(HEADERS[carry][family]);
      const talk = new Handshake(ends, { carry });
      talk.offer();
      talk.ask();
      talk.director.setNetwork({ ...NETWORK, neighbours: NETWORK.neighbours!.filter(({ dev }) => dev === 'cli') });
      expect(judged(talk.answer())).toEqual(['drop no-neighbour', 'forward syn-proxy-ack']);
      talk.director.setNetwork(NETWORK);
      const reset = { seq: ISN + 1, ack: at(talk.cookie, 1), flags: RST };
      expect(read(talk.client(reset)[0]!.frame).seq).toBe(at(talk.begun, 1));
      const first = { seq: ISN + 1, ack: at(talk.cookie, 1), flags: ACK, payload: data(1) };
      expect(read(talk.client(first)[0]!.frame)).toMatchObject({ seq: at(talk.begun, 1), payload: `${header}01` });
    },
  );

  it.each(['toa', 'proxy-v1', 'proxy-v2'] as const)('%s: what was kept is told as what comes then', (carry) => {
    const talk = new Handshake(ends, { carry });
    talk.offer();
    talk.ask({ payload: data(2) });
    talk.client({ seq: ISN + 3, ack: at(talk.cookie, 1), flags: ACK | FIN, payload: data(1) });
    const outcomes = talk.answer();
    const passed = ends === NAT64 ? 'nat64-in' : 'fullnat-in';
    expect(judged(outcomes)).toEqual([
      'forward syn-proxy-ack',
      'forward syn-proxy-ack',
      `forward ${passed}`,
      `forward ${passed}`,
    ]);
    const [first, second] = outcomes.slice(2).map(({ frame }) => read(frame));
    const header = carry === 'toa' ? '' : toHex(HEADERS[carry][family]);
    expect(first).toMatchObject({ seq: at(talk.begun, 1), payload: `${header}0102` });
    expect(second).toMatchObject({ seq: at(talk.begun, 3 + header.length / 2), payload: '01', flags: ACK | FIN });
    expect(first!.client).toBe(ends.client);
  });

  it('RSTs of the director tell nothing', () => {
    const talk = new Handshake(ends, { carry: 'proxy-v1' });
    talk.offer();
    talk.ask();
    const wrong = talk.server({ ack: at(talk.begun, 77), flags: SYN | ACK });
    expect(read(wrong[0]!.frame)).toMatchObject({ seq: at(talk.begun, 77), flags: RST, options: '', payload: '' });
    const [refusal, ...resets] = talk.answer({ mss: 1460 });
    expect(refusal).toMatchObject({ verdict: 'drop', reason: 'syn-proxy-mismatch' });
    expect(resets.map(({ frame }) => read(frame))).toMatchObject([
      { seq: at(talk.cookie, 1), flags: RST | ACK },
      { seq: at(talk.begun, 1), flags: RST | ACK, options: '', payload: '' },
    ]);
  });

  it('an error that quotes what was added to tells the number that the server has sent', () => {
    const { talk } = opened(ends, {});
    const sent = { seq: at(SERVER_ISN, 1), ack: at(talk.begun, 1), flags: ACK };
    const quoted = talk.server(sent)[0]!.frame.subarray(14);
    const [type, code] = family === 4 ? [3, 4] : [2, 0];
    const error = icmp({ source: ends.client, destination: ends.vip }, type!, code!, quoted, 1400);
    const [told] = talk.director.send(frameOf(error), 'cli', 0);
    expect(judged([told!])).toEqual(['forward icmp-in']);
    const ip = told!.frame.subarray(14);
    const inner = ends === FULL6 ? 40 + 8 + 40 : 20 + 8 + 20;
    expect(new DataView(ip.buffer, ip.byteOffset + inner).getUint32(4)).toBe(sent.seq);
  });
});

const frameOf = (packet: Uint8Array): Uint8Array => {
  const isV6 = packet[0]! >> 4 === 6;
  return Uint8Array.from([...hex('020000000001020000000002'), ...hex(isV6 ? '86dd' : '0800'), ...packet]);
};

describe('NAT64', () => {
  it('what the director makes for the server is IPv4, without options, of one who cuts nothing', () => {
    const talk = new Handshake(NAT64, { carry: 'toa' });
    expect(talk.offer().isV6).toBe(true);
    const syn = talk.ask();
    expect(toHex(syn.ip.slice(0, 10))).toMatch(/^4500....000040004006$/);
    // 1420 bytes was the client told; the next known size below is 1360.
    expect(syn.options.slice(0, 8)).toBe('02040550');
    const [ack, update] = talk.answer().map(({ frame }) => read(frame));
    expect(toHex(ack!.ip.slice(0, 10))).toMatch(/^4500....000040004006$/);
    expect(update!.isV6).toBe(true);
    expect(talk.director.connections(1)).toMatchObject([
      { state: 'ESTABLISHED', localAddress: '10.1.0.1', destAddress: SERVERS[0], clientAddress: NAT64.client },
    ]);
  });

  it('a server is asked again, and its client hears in its own family that it is silent', () => {
    const talk = new Handshake(NAT64, {}, { synproxy_retries: 0 });
    talk.offer();
    talk.ask();
    const outcomes = talk.director.send(ofClient(NAT64, { sport: 9, flags: ACK, seq: 5, ack: 5 }), 'cli', 3300);
    expect(judged(outcomes)).toEqual(['local bad-cookie', 'forward syn-proxy-reset']);
    expect(read(outcomes[1]!.frame)).toMatchObject({ isV6: true, flags: RST | ACK, ack: ISN + 1 });
  });
});

describe('a way with little room', () => {
  const narrow = networkWith({ srv: { mtu: 68 } });

  it('an acknowledgment that the header makes too long goes without it, and it was not sent', () => {
    const { talk, ack } = opened(FULL4, { carry: 'proxy-v1' }, {}, narrow);
    const header = `PROXY TCP4 ${FULL4.client} ${FULL4.vip} 40000 80\r\n`;
    expect(ack).toMatchObject({ seq: at(talk.begun, 1 + header.length), payload: '' });
    const reset = { seq: ISN + 1, ack: at(talk.cookie, 1), flags: RST };
    expect(read(talk.client(reset)[0]!.frame).seq).toBe(at(talk.begun, 1));
  });

  it('alibaba: the SYN goes without TOA', () => {
    const talk = new Handshake(NAT64, { carry: 'toa', profile: 'alibaba' }, {}, narrow);
    talk.offer();
    expect(talk.ask()).toMatchObject({ client: undefined });
    expect(read(talk.answer()[0]!.frame).client).toBe(NAT64.client);
  });
});

it('UOA is for datagrams, and not together with NAT64', () => {
  const director = new ReferenceDirector({ network: NETWORK });
  const key = { fwmark: 7, family: 6 } as const;
  const service = { ...key, synproxy: true, localAddresses: ['10.1.0.1'] };
  director.addService({ ...service, carry: 'uoa-protocol' });
  const dest = { address: SERVERS[0], port: 8080, method: 'fullnat' } as const;
  expect(() => director.addDest(key, dest)).toThrow('uoa-protocol cannot be had with NAT64');
  director.editService({ ...service, carry: 'proxy-v2' });
  director.addDest(key, dest);
});
