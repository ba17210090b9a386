/** Explaining how a server of FullNAT is told its client: by what, in which packet, and when not. */
import { describe, expect, test } from 'vitest';
import { reasonText } from '../../src/reasons.js';
import { fragmentsOf } from '../support/fragments.js';
import { answer, CPORT, FULLNAT_NETWORK, fullNat, NOW, read, request, type Says, send } from '../support/fullnat.js';
import { fromClient, lab, NETWORK, SERVERS, TCP_KEY } from '../support/lab.js';
import { fromClient as fromClient6, fromServer, nat64 } from '../support/nat64.js';
import { ACK, counting, FIN, hex, ipv4, PSH, SYN, tcp } from '../support/packets.js';
import { at } from '../synproxy/talk.js';
import { linesOf } from './lines.js';

const MSS = hex('020405b4');
const CLIENT = `client 10.0.0.2:${CPORT}`;

/** A director whose client and server have exchanged their SYNs. */
function begun(settings: object, options = {}, protocols: readonly ('tcp' | 'udp')[] = ['tcp']) {
  const director = fullNat(settings, options, protocols, [4]);
  if (protocols[0] === 'udp') return director;
  const { seq, sport } = read(send(director, request(4, { seq: 1000, flags: SYN }), 'cli').frame);
  send(director, answer(4, sport, { seq: 70_000, ack: at(seq!, 1) }), 'srv');
  return director;
}

const data = (says: Says = {}) => request(4, { seq: 1001, ack: 70_001, flags: ACK, payload: counting(18), ...says });
const LAB = { source: '10.0.0.2', destination: '10.0.0.100', sport: CPORT, dport: 80 };
const carried = (lines: readonly string[]) => lines.filter((line) => line.startsWith('carry'));
const UNTIL = "until the server's first data are acknowledged; without room only until the server has got any itself";

describe('TOA', () => {
  test('of data', () => {
    const lines = linesOf(begun({ carry: 'toa' }), data(), 'cli', NOW);
    expect(lines.slice(2, 6)).toEqual([
      'route to 10.1.0.11: 10.1.0.0/24 dev srv, MTU 1500',
      'TTL 64: becomes 63',
      'length 58, MTU 1500: fits',
      `carry toa: kind 254, 8 bytes, ${CLIENT}: 66 bytes leave`,
    ]);
  });

  test('of no SYN, but with alibaba; nor of what acknowledges data', () => {
    const syn = request(4, { flags: SYN });
    expect(carried(linesOf(fullNat({ carry: 'toa' }, {}, ['tcp']), syn, 'cli', NOW))).toEqual([
      `carry toa: not in this packet: it is in segments with ACK and neither SYN nor RST, ${UNTIL}`,
    ]);
    const alibaba = { carry: 'toa', profile: 'alibaba' } as const;
    expect(carried(linesOf(fullNat(alibaba, {}, ['tcp']), syn, 'cli', NOW))).toEqual([
      `carry toa: kind 254, 8 bytes, ${CLIENT}: 48 bytes leave`,
    ]);
    expect(carried(linesOf(begun(alibaba), data({ flags: ACK | FIN }), 'cli', NOW))).toEqual([
      `carry toa: not in this packet: it is in SYNs, and in segments with ACK and neither FIN nor RST, ${UNTIL}`,
    ]);
    expect(carried(linesOf(begun({ carry: 'toa' }), data({ ack: 70_002 }), 'cli', NOW))).toEqual([
      `carry toa: not in this packet: it is in segments with ACK and neither SYN nor RST, ${UNTIL}`,
    ]);
  });

  test('lowers the MSS of the SYN-ACK', () => {
    const director = fullNat({ carry: 'toa' }, {}, ['tcp'], [4]);
    const { seq, sport } = read(send(director, request(4, { seq: 1000, flags: SYN }), 'cli').frame);
    const synAck = answer(4, sport, { seq: 70_000, ack: at(seq!, 1), tcpOptions: MSS });
    expect(carried(linesOf(director, synAck, 'srv', NOW))).toEqual([
      'carry toa: MSS 1460 becomes 1452, so that the client leaves room for it',
    ]);
    const small = answer(4, sport, { seq: 70_000, ack: at(seq!, 1), tcpOptions: hex('02040200') });
    expect(carried(linesOf(director, small, 'srv', NOW))).toEqual([]);
  });

  test('in a packet that goes ahead, where the client’s has no room for it', () => {
    const lines = linesOf(begun({ carry: 'toa' }), data({ payload: counting(1460), df: true }), 'cli', NOW);
    expect(lines.slice(3)).toEqual([
      'TTL 64: becomes 63',
      'length 1500, DF, MTU 1500: fits',
      `carry toa: kind 254, 8 bytes, ${CLIENT}: in a packet of the director's own, 48 bytes, that goes ahead, for the client's has no room for it`,
      expect.stringMatching(/^method fullnat: /),
      'out interface: srv',
      'client-address',
    ]);
  });

  test('of a segment that is cut', () => {
    const lines = linesOf(begun({ carry: 'toa' }), data({ payload: counting(1460) }), 'cli', NOW);
    expect(lines).toContain('length 1500, MTU 1500: leaves in 2 pieces');
    expect(carried(lines)).toEqual([`carry toa: kind 254, 8 bytes, ${CLIENT}`]);
  });

  test('of none that does not leave', () => {
    const neighbours = NETWORK.neighbours!.filter(({ dev }) => dev !== 'srv');
    const settings = { carry: 'toa', localAddresses: ['10.1.0.1'] } as const;
    const dest = { address: SERVERS[0], port: 8080, method: 'fullnat' } as const;
    const director = lab([dest], { network: { ...NETWORK, neighbours } }, settings, [TCP_KEY]);
    const lines = linesOf(director, fromClient(tcp(LAB)), 'cli', NOW);
    expect(lines).toContain('TTL 64: more than 1');
    expect([lines.at(-1), carried(lines)]).toEqual(['no-neighbour', []]);
  });

  test('ahead of a segment that came in fragments: it is told as the whole one', () => {
    const director = begun({ carry: 'toa' });
    const full = data({ tcpOptions: hex(`fc28${'77'.repeat(38)}`), flags: ACK | PSH, payload: counting(100) });
    const [first, second] = fragmentsOf(full, [64]);
    director.send(first!, 'cli', NOW);
    const lines = linesOf(director, second!, 'cli', NOW);
    expect(lines).toContain('TCP flags [PA]: SYN_RECV becomes ESTABLISHED, expires in 900 s');
    expect(lines).toContain('length 180, MTU 1500: leaves in 2 pieces');
    expect(lines.at(-1)).toBe('client-address');
  });

  test('of the client itself is none: the server is not told by it', () => {
    const own = hex('fe089c410a000002');
    const late = linesOf(begun({ carry: 'toa' }), data({ ack: 70_002, tcpOptions: own }), 'cli', NOW);
    expect(carried(late)).toEqual([expect.stringMatching(/^carry toa: not in this packet: /)]);
    const early = linesOf(begun({ carry: 'toa' }), data({ tcpOptions: own }), 'cli', NOW);
    expect(carried(early)).toEqual([`carry toa: kind 254, 8 bytes, ${CLIENT}: 74 bytes leave`]);
    // Nobody looks for it where nobody is told.
    expect(carried(linesOf(begun({}), data({ tcpOptions: own }), 'cli', NOW))).toEqual([]);
  });

  test('over NAT64', () => {
    const director = nat64({ carry: 'toa' }, {}, ['tcp']);
    director.send(fromClient6({ seq: 1000, flags: SYN }), 'cli', NOW);
    director.send(fromServer({ seq: 70_000, flags: SYN | ACK }), 'srv', NOW);
    expect(carried(linesOf(director, fromClient6({ seq: 1001, ack: 70_001, flags: ACK }), 'cli', NOW))).toEqual([
      `carry toa: kind 254, 20 bytes, client [fd00::2]:${CPORT}: 60 bytes leave`,
    ]);
  });
});

describe('the PROXY protocol', () => {
  test.each([
    ['proxy-v1', 41],
    ['proxy-v2', 28],
  ] as const)('%s in front of the first byte', (carry, bytes) => {
    const director = begun({ carry });
    const lines = linesOf(director, data(), 'cli', NOW);
    expect(lines).toContain('length 58, MTU 1500: fits');
    expect(carried(lines)).toEqual([
      `carry ${carry}: ${bytes} bytes in front of the data, ${CLIENT}: ${58 + bytes} bytes leave`,
    ]);
    expect(carried(linesOf(director, data({ seq: 1019 }), 'cli', NOW))).toEqual([
      `carry ${carry}: not in this packet: it is in front of the client's first byte until the server has acknowledged it`,
    ]);
  });

  test('that a client has in its own data is not what the director tells', () => {
    const line = new TextEncoder().encode(`PROXY TCP4 10.0.0.2 10.0.0.100 ${CPORT} 80\r\n`);
    expect(carried(linesOf(begun({ carry: 'proxy-v1' }), data({ seq: 1019, payload: line }), 'cli', NOW))).toEqual([
      expect.stringMatching(/^carry proxy-v1: not in this packet: /),
    ]);
    expect(carried(linesOf(begun({ carry: 'proxy-v1' }), data({ payload: line }), 'cli', NOW))).toEqual([
      expect.stringMatching(/^carry proxy-v1: 41 bytes in front of the data, /),
    ]);
    expect(carried(linesOf(begun({}), data({ payload: line }), 'cli', NOW))).toEqual([]);
  });

  test('that a client has in its own data within a tunnel is none, either', () => {
    const director = lab(
      [{ address: SERVERS[0], port: 8080, method: 'fullnat' }],
      {},
      { localAddresses: ['10.1.0.1'] },
    );
    director.send(fromClient(tcp({ ...LAB, flags: SYN })), 'cli', NOW);
    const line = (client: string) => new TextEncoder().encode(`PROXY TCP4 ${client} 10.0.0.100 ${CPORT} 80\r\n`);
    for (const words of [
      { payload: line('10.0.0.2') },
      { payload: line('10.9.9.9') },
      { tcpOptions: hex('fe089c410a090909') },
    ]) {
      const inner = tcp({ ...LAB, flags: ACK, ...words });
      const outer = ipv4({ source: '10.0.0.2', destination: '10.0.0.1', protocol: 4 }, inner);
      const lines = linesOf(director, fromClient(outer), 'cli', NOW);
      expect(lines.at(-1)).toBe('fullnat-in');
      expect(carried(lines)).toEqual([]);
    }
  });

  test('that is lost: it fits in no packet', () => {
    const interfaces = FULLNAT_NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu: 80 } : each));
    const director = begun({ carry: 'proxy-v1' }, { network: { ...FULLNAT_NETWORK, interfaces } });
    expect(carried(linesOf(director, data({ df: true }), 'cli', NOW))).toEqual([
      'carry proxy-v1: lost: there was room for it nowhere',
    ]);
  });

  test('data in its place end the way', () => {
    const lines = linesOf(begun({ carry: 'proxy-v1' }), data({ seq: 990 }), 'cli', NOW);
    expect(lines.slice(-2)).toEqual([`method fullnat: ${reasonText('tcp-option')}`, 'tcp-option']);
  });

  test('over UDP takes room in each datagram', () => {
    const director = begun({ carry: 'proxy-v2' }, {}, ['udp']);
    const datagram = (bytes: number) => request(4, { protocol: 'udp', payload: counting(bytes), df: true });
    const fits = linesOf(director, datagram(1444), 'cli', NOW);
    expect(fits.slice(-5, -3)).toEqual([
      'length 1472, DF, MTU 1500 less its PROXY header: fits',
      `carry proxy-v2: 28 bytes in front of the data, ${CLIENT}: 1500 bytes leave`,
    ]);
    expect(linesOf(director, datagram(1445), 'cli', NOW).slice(-2)).toEqual([
      `length 1473, DF, MTU 1500 less its PROXY header: ${reasonText('too-big')}`,
      'too-big',
    ]);
  });
});

test.each([
  ['uoa-option', 'IP option 31, 8 bytes', 47],
  ['uoa-protocol', 'header of protocol 248, 12 bytes', 51],
] as const)('%s is in the first three datagrams', (carry, form, bytes) => {
  const director = begun({ carry }, {}, ['udp']);
  const datagram = request(4, { protocol: 'udp', payload: counting(11) });
  const told = Array.from({ length: 4 }, () => carried(linesOf(director, datagram, 'cli', NOW))[0]);
  const line = `carry ${carry}: ${form}, ${CLIENT}: ${bytes} bytes leave`;
  const not = `carry ${carry}: not in this packet: it is in the first three datagrams, until the server answers`;
  expect(told).toEqual([line, line, line, not]);
});
