/** NAT64: servers of IPv4 are told who their client of IPv6 is. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { decodeClient } from '../../src/toa/index.js';
import type { ServiceConfig } from '../../src/types.js';
import { fragmentsOf } from '../support/fragments.js';
import { CPORT, NOW, VPORT } from '../support/fullnat.js';
import {
  atClient,
  atServer,
  CLIENT,
  fromClient,
  fromServer,
  idOf,
  nat64,
  network64,
  numbersOf,
  send64,
  sendAll,
  VIP,
  type Words64,
} from '../support/nat64.js';
import { ACK, counting, hex, join, PSH, SYN, toHex, u32 } from '../support/packets.js';

const TOA = `fe149c41fd00${'00'.repeat(13)}02`;
const V1 = new TextEncoder().encode(`PROXY TCP6 ${CLIENT} ${VIP} ${CPORT} ${VPORT}\r\n`);
const v2 = (protocol: 1 | 2) =>
  hex(`0d0a0d0a000d0a515549540a212${protocol}0024fd00${'00'.repeat(13)}02fd00${'00'.repeat(12)}01009c410050`);
const V2 = v2(1);
const SERVER_ISN = 70_000;

/** A director whose client (number 1000) and server have exchanged their SYNs; `delta`: of the client's numbers. */
function begun(settings: Partial<ServiceConfig>, srv = 1500): { director: Director; delta: number } {
  const director = nat64(settings, { network: network64(9000, srv) }, ['tcp']);
  const { frame } = send64(director, fromClient({ flags: SYN }), 'cli');
  const delta = numbersOf(frame).seq - 1000;
  send64(director, fromServer({ flags: SYN | ACK, seq: SERVER_ISN, ack: u32(1001 + delta) }), 'srv');
  return { director, delta };
}

/** The client's segment behind its SYN. */
const says = (words: Words64 = {}): Uint8Array => fromClient({ seq: 1001, ack: SERVER_ISN + 1, flags: ACK, ...words });
/** That as the server gets it, its identification apart. */
const heard = (delta: number, words: Words64, frame: Uint8Array): Uint8Array =>
  atServer({ seq: u32(1001 + delta), ack: SERVER_ISN + 1, flags: ACK, ttl: 63, id: idOf(frame), ...words });
const hexOf = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ frame }) => toHex(frame));

describe('TOA', () => {
  it.each([
    ['linux', TOA],
    ['alibaba', `fd${TOA.slice(2)}`],
  ] as const)('of the profile %s names the client of IPv6 in a segment over IPv4', (profile, option) => {
    const { director, delta } = begun({ carry: 'toa', profile });
    const stamps = hex('0101080a0000000100000002');
    for (const words of [{}, { tcpOptions: stamps }, { payload: counting(1001), flags: ACK | PSH }]) {
      const { frame } = send64(director, says(words), 'cli');
      const tcpOptions = join(hex(option), words.tcpOptions ?? new Uint8Array(0));
      const df = profile !== 'linux';
      const ttl = df ? 64 : 63;
      expect(toHex(frame)).toBe(toHex(heard(delta, { ...words, tcpOptions, df, ttl }, frame)));
      expect(decodeClient(frame, 'raw')).toMatchObject({ carrier: 'toa', address: CLIENT, port: CPORT });
    }
  });

  it('takes its bytes from the MSS of the server, as for IPv6', () => {
    for (const [mss, told] of [
      [1460, 1440],
      [1220, 1200],
      [1219, 1200],
      [1100, 1100],
    ] as const) {
      const director = nat64({ carry: 'toa' }, {}, ['tcp']);
      const delta = numbersOf(send64(director, fromClient(), 'cli').frame).seq - 1000;
      const option = (size: number) => ({ tcpOptions: hex(`0204${size.toString(16).padStart(4, '0')}`) });
      const words = { flags: SYN | ACK, seq: 5 };
      const back = send64(director, fromServer({ ...words, ack: u32(1001 + delta), ...option(mss) }), 'srv').frame;
      expect(toHex(back)).toBe(toHex(atClient({ ...words, ack: 1001, ttl: 63, ...option(told) })));
    }
  });

  it('has room up to the MTU of IPv4, and else goes first in a packet of its own', () => {
    const { director, delta } = begun({ carry: 'toa' }, 1400);
    const fits = send64(director, says({ payload: counting(1340) }), 'cli').frame;
    const tcpOptions = hex(TOA);
    expect(toHex(fits)).toBe(toHex(heard(delta, { payload: counting(1340), tcpOptions, df: true, id: 0 }, fits)));
    const full = { payload: counting(1341), flags: ACK | PSH, tos: 4 };
    const outcomes = sendAll(director, says(full), 'cli');
    expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'nat64-in']);
    const words = { df: true, id: 0, tos: 4 };
    expect(hexOf(outcomes)).toEqual([
      toHex(heard(delta, { ...words, tcpOptions }, fits)),
      toHex(heard(delta, { ...words, payload: full.payload, flags: ACK | PSH }, fits)),
    ]);
  });
});

describe.each([
  ['proxy-v1', V1],
  ['proxy-v2', V2],
] as const)('%s', (carry, header) => {
  it('names both ends of IPv6 in front of the data, whose numbers follow', () => {
    const { director, delta } = begun({ carry });
    const payload = counting(99);
    const first = send64(director, says({ payload, flags: ACK | PSH }), 'cli').frame;
    const expected = { payload: join(header, payload), flags: ACK | PSH };
    expect(toHex(first)).toBe(toHex(heard(delta, expected, first)));
    expect(decodeClient(first, 'raw')).toMatchObject({ carrier: carry, address: CLIENT, port: CPORT });
    // The server has got all of it: the client hears of its own bytes.
    const ack = u32(1001 + delta + header.length + 99);
    const back = send64(director, fromServer({ flags: ACK, seq: SERVER_ISN + 1, ack }), 'srv').frame;
    expect(toHex(back)).toBe(toHex(atClient({ flags: ACK, seq: SERVER_ISN + 1, ack: 1100, ttl: 63 })));
    const next = send64(director, says({ seq: 1100, payload: counting(3) }), 'cli').frame;
    const behind = { seq: ack, payload: counting(3) };
    expect(toHex(next)).toBe(toHex(heard(delta, behind, next)));
  });

  it('goes first in a segment of its own without room', () => {
    const { director, delta } = begun({ carry }, 1400);
    const payload = counting(1360);
    const outcomes = sendAll(director, says({ payload, flags: ACK | PSH }), 'cli');
    expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'nat64-in']);
    const words = { df: true, id: 0, flags: ACK | PSH };
    const frame = outcomes[0]!.frame;
    expect(hexOf(outcomes)).toEqual([
      toHex(heard(delta, { ...words, payload: header }, frame)),
      toHex(heard(delta, { ...words, payload, seq: u32(1001 + delta + header.length) }, frame)),
    ]);
  });
});

describe('the PROXY protocol over UDP', () => {
  const header = v2(2);
  const open = (srv: number) => nat64({ carry: 'proxy-v2' }, { network: network64(9000, srv) }, ['udp']);

  it('stands in front of the data of each datagram, whose lengths and checksums follow', () => {
    const director = open(1500);
    for (const length of [0, 1, 100, 1300]) {
      const payload = counting(length);
      const { frame } = send64(director, fromClient({ protocol: 'udp', payload }), 'cli');
      const df = length === 1300;
      const words = { protocol: 'udp', payload: join(header, payload), ttl: 63, df, id: idOf(frame) } as const;
      expect(toHex(frame)).toBe(toHex(atServer(words)));
      expect(decodeClient(frame, 'raw')).toMatchObject({ address: CLIENT, port: CPORT });
    }
    const { frame } = director.send(fromClient({ protocol: 'udp', partial: true }), 'cli', NOW, {
      partialChecksum: true,
    })[0]!;
    expect(toHex(frame)).toBe(toHex(atServer({ protocol: 'udp', payload: header, ttl: 63, id: idOf(frame) })));
  });

  it('makes the MTU less by as much, in bytes of IPv6', () => {
    const director = open(1400);
    const most = 1400 - 28 - header.length;
    const { reason } = send64(director, fromClient({ protocol: 'udp', payload: counting(most) }), 'cli');
    expect(reason).toBe('nat64-in');
    const [dropped, told] = sendAll(director, fromClient({ protocol: 'udp', payload: counting(most + 1) }), 'cli');
    expect([dropped?.reason, told?.reason]).toEqual(['too-big', 'fragmentation-needed']);
    expect(new DataView(told!.frame.buffer, told!.frame.byteOffset).getUint32(44)).toBe(1420 - header.length);
  });

  it('goes along with a datagram in fragments', () => {
    const director = open(1500);
    const payload = counting(2000);
    const outcomes = fragmentsOf(fromClient({ protocol: 'udp', payload }), [1240]).flatMap((fragment) =>
      director.send(fragment, 'cli', NOW),
    );
    const whole = atServer({ protocol: 'udp', payload: join(header, payload), ttl: 63, id: 0x0304 });
    // What none of them was longer than, none is.
    expect(hexOf(outcomes.slice(1))).toEqual(fragmentsOf(whole, [1240]).map(toHex));
  });
});
