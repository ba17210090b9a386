/** Explaining a SYN proxy: what is told is the segment that leaves in place of the one that came. */
import { describe, expect, test } from 'vitest';
import type { Director, ServiceInfo } from '../../src/director.js';
import { explainPacket } from '../../src/explain.js';
import { type ReasonName, reasonText } from '../../src/reasons.js';
import { fragmentsOf } from '../support/fragments.js';
import { fromClient, MAC, NETWORK, request } from '../support/lab.js';
import { ACK, counting, FIN, fixIpv4, ipv4, RST, SYN } from '../support/packets.js';
import { ask, FULL4, ISN, left, NAT64, OFFER, ofClient, ofServer, open, proxy, V4 } from '../synproxy/lab.js';
import { at } from '../synproxy/talk.js';
import { linesOf } from './lines.js';
import { serviceOf, syn, told } from './walk-packets.js';

const DEST = { address: '10.1.0.21', port: 8080, method: 'nat' };
const STAMPS = { stamps: [900, 1005] } as const;
const CLIENT_SIDE = 'route to 10.0.0.2: 10.0.0.0/24 dev cli, MTU 1500';
const SERVER_SIDE = 'route to 10.1.0.11: 10.1.0.0/24 dev srv, MTU 1500';
const TO_CLIENT = [`next hop 10.0.0.2: MAC ${MAC.client}`, `out interface: cli, from MAC ${MAC.cli}`];
const TO_SERVER = [`next hop 10.1.0.11: MAC ${MAC.server}`, `out interface: srv, from MAC ${MAC.srv}`];

/** A director that has asked its server, the cookie that its client got, and the port that the server sees. */
function asked(ends = FULL4, settings = {}) {
  const director = proxy(ends, {}, settings);
  const cookie = ask(director, ends, 0);
  return { director, cookie, lport: director.connections(0)[0]!.localPort ?? 40_000 };
}

/** The number that the server gets, from the SYN that comes to it when nobody has answered. */
function firstNumber(director: Director): number {
  director.burst.reset();
  director.process(3300);
  return left([director.outcome(0, 3300)])[0]!.seq;
}

describe('a SYN', () => {
  test('is answered: the SYN-ACK goes back to the client', () => {
    expect(linesOf(proxy(FULL4), ofClient(FULL4, { options: OFFER }), 'cli', 0)).toEqual([
      'connection TCP 10.0.0.2:40000 > 10.0.0.100:80: none',
      'service TCP 10.0.0.100:80: scheduler rr, 1 server',
      `SYN proxy: ${reasonText('syn-cookie')}`,
      CLIENT_SIDE,
      'SYN proxy: sends TCP [SA] 10.0.0.100:80 > 10.0.0.2:40000, MSS 1460, 60 bytes, TTL 64',
      ...TO_CLIENT,
      'syn-cookie',
    ]);
  });

  test('is told a smaller MSS where TOA has to have room', () => {
    const lines = linesOf(proxy(FULL4, {}, { carry: 'toa' }), ofClient(FULL4, { options: OFFER }), 'cli', 0);
    expect(lines).toContain('SYN proxy: sends TCP [SA] 10.0.0.100:80 > 10.0.0.2:40000, MSS 1452, 60 bytes, TTL 64');
  });

  test('whose answer has no neighbour to go to', () => {
    const neighbours = NETWORK.neighbours!.filter(({ dev }) => dev !== 'cli');
    const director = proxy(FULL4, { network: { ...NETWORK, neighbours } });
    const lines = linesOf(director, ofClient(FULL4, {}), 'cli', 0);
    expect(lines.slice(-2)).toEqual([`next hop 10.0.0.2: ${reasonText('no-neighbour')}`, 'no-neighbour']);
    expect(lines.join()).not.toContain('sends');
  });

  test('whose answer has no way to go', () => {
    const director = proxy({ ...FULL4, client: '172.16.0.2' });
    const lines = linesOf(director, ofClient({ ...FULL4, client: '172.16.0.2' }, {}), 'cli', 0);
    expect(lines.slice(-2)).toEqual([`route to 172.16.0.2: ${reasonText('no-route')}`, 'no-route']);
  });

  test.each([
    ['client-port-zero', { sport: 0 }],
    ['not-opening', { flags: RST }],
    ['not-opening', { flags: SYN | ACK }],
    ['client-port-zero', { sport: 0, flags: ACK }],
  ] as const)('or another segment that is refused: %s, %o', (reason, words) => {
    const lines = linesOf(proxy(FULL4), ofClient(FULL4, words), 'cli', 0);
    expect(lines.slice(-3)).toEqual([
      'service TCP 10.0.0.100:80: scheduler rr, 1 server',
      `SYN proxy: ${reasonText(reason)}`,
      reason,
    ]);
  });

  test('with a wrong checksum', () => {
    const frame = ofClient(FULL4, {});
    frame[14 + 36]! ^= 1;
    expect(linesOf(proxy(FULL4), frame, 'cli', 0).slice(-2)).toEqual([
      `SYN proxy: ${reasonText('tcp-checksum')}`,
      'tcp-checksum',
    ]);
  });

  test('out of a tunnel, that is none', () => {
    const outer = ipv4(
      { source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 },
      ofClient(FULL4, { flags: RST }).subarray(14),
    );
    const { steps, fate } = explainPacket(proxy(FULL4), fromClient(outer), 'cli', 0);
    const found = reasonText('decapsulated');
    expect([steps.at(-1)!.lines.at(-1), fate.reason]).toEqual([{ looked: 'SYN proxy', found }, 'decapsulated']);
  });

  test('of a connection that is over is answered as any', () => {
    const director = proxy(V4);
    const cookie = open(director, V4, 0);
    director.send(ofClient(V4, { seq: at(ISN, 1), ack: at(cookie, 1), flags: RST }), 'cli', 1);
    const lines = linesOf(director, ofClient(V4, {}), 'cli', 2);
    expect(lines[0]).toMatch(/^connection TCP 10\.0\.0\.2:40000 > 10\.0\.0\.100:80: CLOSE, /);
    expect(lines.slice(1)).toEqual([
      'service TCP 10.0.0.100:80: scheduler rr, 1 server',
      `SYN proxy: ${reasonText('syn-cookie')}`,
      CLIENT_SIDE,
      'SYN proxy: sends TCP [SA] 10.0.0.100:80 > 10.0.0.2:40000, MSS 1460, 44 bytes, TTL 64',
      ...TO_CLIENT,
      'syn-cookie',
    ]);
    const [answer] = left(director.send(ofClient(V4, { seq: 7 }), 'cli', 2));
    const words = { seq: 8, ack: at(answer!.seq, 1), flags: ACK };
    expect(linesOf(director, ofClient(V4, words), 'cli', 2)).toEqual([
      lines[0],
      lines[1],
      `SYN proxy: cookie ${answer!.seq} is right: may open a connection`,
      expect.stringMatching(/^scheduler rr: /),
      'new connection: SYN_SENT, nat, expires in 3 s',
      SERVER_SIDE,
      'SYN proxy: sends TCP [S] 10.0.0.2:40000 > 10.1.0.11:8080, MSS 536, 44 bytes, TTL 64',
      ...TO_SERVER,
      'syn-proxied',
    ]);
  });

  test('of a connection that is over, with ACK, is refused', () => {
    const director = proxy(V4);
    const cookie = open(director, V4, 0);
    director.send(ofClient(V4, { seq: at(ISN, 1), ack: at(cookie, 1), flags: RST }), 'cli', 1);
    const lines = linesOf(director, ofClient(V4, { flags: SYN | ACK }), 'cli', 2);
    expect(lines.slice(-2)).toEqual([`SYN proxy: ${reasonText('not-opening')}`, 'not-opening']);
  });

  test.each(['no-route', 'local-boundary'])('%s for the answer, whatever the routes say', (reason) => {
    const services = [{ ...serviceOf({ protocol: 'tcp', address: '10.0.0.100', port: 80 }, DEST), synproxy: true }];
    const lines = told({ frame: syn, reason, verdict: 'drop', services: services as ServiceInfo[] });
    expect(lines.at(-1)).toBe(`OUTPUT: route to 10.0.0.2 = ${reasonText(reason as ReasonName)}`);
  });
});

test('a datagram of a mark behind a SYN proxy is as any', () => {
  const director = proxy(V4);
  director.addService({ fwmark: 7, synproxy: true });
  director.addDest({ fwmark: 7 }, { address: V4.server, method: 'nat' });
  const lines = linesOf(director, fromClient(request('udp')), 'cli', 0, { mark: 7 });
  expect([lines.at(-1), lines.join().includes('SYN proxy')]).toEqual(['nat-in', false]);
});

describe('the answer to a cookie', () => {
  const words = (cookie: number, more = {}) => ({ seq: at(ISN, 1), ack: at(cookie, 1), flags: ACK, ...more });
  /** A director, and the cookie that its client got. */
  function begun(options = {}, settings = {}, ends = FULL4): [Director, number] {
    const director = proxy(ends, options, settings);
    return [director, left(director.send(ofClient(ends, { options: OFFER }), 'cli', 0))[0]!.seq];
  }

  test('opens a connection: a SYN goes to the server', () => {
    const [director, cookie] = begun();
    const frame = ofClient(FULL4, words(cookie, { options: STAMPS, window: 502 }));
    expect(linesOf(director, frame, 'cli', 1)).toEqual([
      'connection TCP 10.0.0.2:40000 > 10.0.0.100:80: none',
      'service TCP 10.0.0.100:80: scheduler rr, 1 server',
      `SYN proxy: cookie ${cookie} is right: may open a connection`,
      'scheduler rr: 10.1.0.11:8080: the next usable one of the list (newest first): 10.1.0.11:8080',
      'new connection: SYN_SENT, fullnat, expires in 3 s',
      SERVER_SIDE,
      'SYN proxy: sends TCP [S] 10.1.0.1:1024 > 10.1.0.11:8080, MSS 1460, 60 bytes, TTL 64',
      ...TO_SERVER,
      'syn-proxied',
    ]);
  });

  test('with a wrong checksum', () => {
    const [director, cookie] = begun();
    const frame = ofClient(FULL4, words(cookie));
    frame[14 + 36]! ^= 1;
    expect(linesOf(director, frame, 'cli', 1).slice(-2)).toEqual([
      `SYN proxy: ${reasonText('tcp-checksum')}`,
      'tcp-checksum',
    ]);
  });

  test('in fragments: what it acknowledges is not seen in the last of them', () => {
    const [director, cookie] = begun();
    const packet = ofClient(FULL4, words(cookie, { payload: counting(100) })).subarray(14);
    const [first, second] = fragmentsOf(packet, [64]);
    director.send(fromClient(first!), 'cli', 1);
    const lines = linesOf(director, fromClient(second!), 'cli', 1);
    expect(lines).toContain('connection TCP 10.0.0.2:40000 > 10.0.0.100:80: none');
    expect(lines).toContain('SYN proxy: cookie is right: may open a connection');
    expect(lines.at(-1)).toBe('syn-proxied');
  });

  test('that is none', () => {
    const [director, cookie] = begun();
    expect(linesOf(director, ofClient(FULL4, words(cookie ^ 1)), 'cli', 1).slice(-2)).toEqual([
      `SYN proxy: ${reasonText('bad-cookie')}`,
      'bad-cookie',
    ]);
  });

  test('without data, where these are waited for', () => {
    const [director, cookie] = begun({ sysctl: { synproxy_defer: 1 } });
    expect(linesOf(director, ofClient(FULL4, words(cookie)), 'cli', 1).slice(-3)).toEqual([
      `SYN proxy: cookie ${cookie} is right: may open a connection`,
      `synproxy_defer 1, no data: ${reasonText('syn-proxy-wait')}`,
      'syn-proxy-wait',
    ]);
  });

  test('whose SYN has no neighbour to go to: nothing is said of what would leave', () => {
    const neighbours = NETWORK.neighbours!.filter(({ dev }) => dev !== 'srv');
    const [director, cookie] = begun({ network: { ...NETWORK, neighbours } });
    expect(linesOf(director, ofClient(FULL4, words(cookie)), 'cli', 1).slice(-4)).toEqual([
      'new connection: SYN_SENT, fullnat, expires in 3 s',
      SERVER_SIDE,
      `next hop 10.1.0.11: ${reasonText('no-neighbour')}`,
      'no-neighbour',
    ]);
  });

  test('where there is no server ends at the scheduler', () => {
    const [director, cookie] = begun();
    director.deleteDest({ protocol: 'tcp', address: FULL4.vip, port: 80 }, { address: FULL4.server, port: 8080 });
    expect(linesOf(director, ofClient(FULL4, words(cookie)), 'cli', 1).slice(-3)).toEqual([
      `SYN proxy: cookie ${cookie} is right: may open a connection`,
      `scheduler rr: ${reasonText('no-dest')}`,
      'no-dest',
    ]);
  });

  test('over NAT64 is IPv4 to the server', () => {
    const [director, cookie] = begun({}, {}, NAT64);
    const lines = linesOf(director, ofClient(NAT64, words(cookie)), 'cli', 1);
    expect(lines).toContain('SYN proxy: sends TCP [S] 10.1.0.1:1024 > 10.1.0.11:8080, MSS 1440, 60 bytes, TTL 64');
  });

  test('and what comes until the server has answered is held, or has to come again', () => {
    const { director, cookie } = asked();
    const data = ofClient(FULL4, words(cookie, { payload: counting(5) }));
    const known = 'connection TCP 10.0.0.2:40000 > 10.0.0.100:80: SYN_SENT, server 10.1.0.11:8080 (fullnat)';
    expect(linesOf(director, data, 'cli', 1)).toEqual([
      known,
      `SYN proxy: ${reasonText('syn-proxy-held')}`,
      'syn-proxy-held',
    ]);
    expect(linesOf(director, data, 'cli', 1)).toEqual([
      known,
      `SYN proxy: ${reasonText('syn-proxy-wait')}`,
      'syn-proxy-wait',
    ]);
  });
});

test('a storm of acknowledgments ends there', () => {
  const director = proxy(V4);
  const ack = ofClient(V4, { seq: at(ISN, 1), ack: at(open(director, V4, 0), 1), flags: ACK });
  for (let i = 0; i < 10; i++) director.send(ack, 'cli', 1);
  expect(linesOf(director, ack, 'cli', 1).slice(-2)).toEqual([`SYN proxy: ${reasonText('ack-storm')}`, 'ack-storm']);
});

describe('what the server says', () => {
  const CHECKED = [CLIENT_SIDE, 'TTL 60: more than 1', 'length 60, MTU 1500: fits'];
  const reply = (lport: number) =>
    `connection TCP reply 10.1.0.11:8080 > 10.1.0.1:${lport}: SYN_SENT, service 10.0.0.100:80 (fullnat)`;

  test('when it takes the SYN: the ACK goes to it, whatever way to the client was looked up', () => {
    const { director, lport } = asked();
    const words = { dport: lport, ack: at(firstNumber(director), 1), options: { ...OFFER, ...STAMPS } };
    const frame = ofServer(FULL4, words);
    frame[14 + 8] = 60;
    fixIpv4(frame.subarray(14));
    expect(linesOf(director, frame, 'srv', 3400)).toEqual([
      reply(lport),
      ...CHECKED,
      'TCP flags [SA]: SYN_SENT becomes ESTABLISHED, expires in 900 s',
      `SYN proxy: ${reasonText('syn-proxy-ack')}`,
      SERVER_SIDE,
      'SYN proxy: sends TCP [A] 10.1.0.1:1024 > 10.1.0.11:8080, 52 bytes, TTL 64',
      ...TO_SERVER,
      'syn-proxy-ack',
    ]);
  });

  test.each([
    ['toa', 'kind 254, 8 bytes', 60],
    ['proxy-v2', '28 bytes in front of the data', 80],
  ] as const)('and is told its client by %s, in that ACK', (carry, form, bytes) => {
    const { director, lport } = asked(FULL4, { carry });
    const words = { dport: lport, ack: at(firstNumber(director), 1), options: { ...OFFER, ...STAMPS } };
    expect(linesOf(director, ofServer(FULL4, words), 'srv', 3400).slice(-5)).toEqual([
      `SYN proxy: sends TCP [A] 10.1.0.1:1024 > 10.1.0.11:8080, ${bytes} bytes, TTL 64`,
      `carry ${carry}: ${form}, client 10.0.0.2:40000`,
      ...TO_SERVER,
      'syn-proxy-ack',
    ]);
  });

  test('by NAT the same', () => {
    // A dest by NAT is told nothing.
    const { director } = asked(V4, { carry: 'toa' });
    expect(linesOf(director, ofServer(V4, { options: { ...OFFER, ...STAMPS } }), 'srv', 1)).toEqual([
      'TTL 64: more than 1',
      'length 60, MTU 1500: fits',
      'connection TCP reply 10.1.0.11:8080 > 10.0.0.2:40000: SYN_SENT, service 10.0.0.100:80 (nat)',
      'TCP flags [SA]: SYN_SENT becomes ESTABLISHED, expires in 900 s',
      `SYN proxy: ${reasonText('syn-proxy-ack')}`,
      SERVER_SIDE,
      'SYN proxy: sends TCP [A] 10.0.0.2:40000 > 10.1.0.11:8080, 52 bytes, TTL 64',
      ...TO_SERVER,
      'syn-proxy-ack',
    ]);
  });

  test('whose service is behind the proxy no more', () => {
    const { director, lport } = asked();
    const ack = at(firstNumber(director), 1);
    director.editService({ protocol: 'tcp', address: FULL4.vip, port: 80 });
    const frame = ofServer(FULL4, { dport: lport, ack, options: { ...OFFER, ...STAMPS } });
    expect(linesOf(director, frame, 'srv', 3400)).toContain(
      'SYN proxy: sends TCP [A] 10.1.0.1:1024 > 10.1.0.11:8080, 52 bytes, TTL 64',
    );
  });

  test('of another connection: the RST goes to it', () => {
    const { director, lport } = asked(FULL4, { carry: 'toa' });
    expect(linesOf(director, ofServer(FULL4, { dport: lport, ack: 7, flags: ACK }), 'srv', 1).slice(-5)).toEqual([
      SERVER_SIDE,
      'SYN proxy: sends TCP [R] 10.1.0.1:1024 > 10.1.0.11:8080, 40 bytes, TTL 64',
      ...TO_SERVER,
      'syn-proxy-reset',
    ]);
  });

  test('when it refuses: the RST goes to the client', () => {
    const { director, lport } = asked();
    const ack = at(firstNumber(director), 1);
    const frame = ofServer(FULL4, { dport: lport, seq: 0, ack, flags: RST | ACK });
    expect(linesOf(director, frame, 'srv', 3400).slice(-5)).toEqual([
      CLIENT_SIDE,
      'SYN proxy: sends TCP [RA] 10.0.0.100:80 > 10.0.0.2:40000, 40 bytes, TTL 64',
      ...TO_CLIENT,
      'syn-proxy-reset',
    ]);
  });

  test('that is no answer, or does not fit what the client was told', () => {
    const { director, lport } = asked();
    const ack = at(firstNumber(director), 1);
    for (const [words, reason] of [
      [{ flags: ACK | FIN }, 'syn-proxy-wait'],
      [{ options: {} }, 'syn-proxy-mismatch'],
    ] as const) {
      const lines = linesOf(director, ofServer(FULL4, { dport: lport, ack, ...words }), 'srv', 3400);
      expect(lines.slice(-3)).toEqual([
        expect.stringMatching(/^length .*: fits$/),
        `SYN proxy: ${reasonText(reason)}`,
        reason,
      ]);
    }
  });

  test('when the ACK to it has no neighbour to go to', () => {
    const { director, lport } = asked();
    const ack = at(firstNumber(director), 1);
    director.setNetwork({ ...NETWORK, neighbours: NETWORK.neighbours!.filter(({ dev }) => dev !== 'srv') });
    const frame = ofServer(FULL4, { dport: lport, ack, options: { ...OFFER, ...STAMPS } });
    expect(linesOf(director, frame, 'srv', 3400).slice(-3)).toEqual([
      SERVER_SIDE,
      `next hop 10.1.0.11: ${reasonText('no-neighbour')}`,
      'no-neighbour',
    ]);
  });
});
