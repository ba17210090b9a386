/** TOA: the client's address as an option of TCP, where there is room and where there is none. */
import { describe, expect, it } from 'vitest';
import { type IpPacket, isIpv6, parseTcp, serialiseIp, type TcpSegment } from '../../src/reference/index.js';
import { decodeClient } from '../../src/toa/index.js';
import { judged } from './builders.js';
import { checksumIsRight, ENDS, frame, NETWORK } from './builders6.js';
import { ACK, fullnat, NOW, packetIn, SYN, SYN_ACK, segment, Talk } from './fullnat.js';
import { hex, toHex } from './support.js';

const FIN = 1;
const PORT = 40_001;

/** Port 40001 and the client's address, by behaviour of alibaba/LVS and DPVS. */
const TOA = {
  4: { linux: 'fe08 9c41 0a000002', alibaba: 'fe08 9c41 0a000002', dpvs: 'fe08 9c41 0a000002' },
  6: {
    linux: 'fe14 9c41 fd000000000000000000000000000002',
    alibaba: 'fd14 9c41 fd000000000000000000000000000002',
    dpvs: 'fe14 9c41 fd000000000000000000000000000002',
  },
} as const;

const TIMESTAMP = '080a 00000001 00000002';

const optionsOf = ({ offsetAndReserved, rest }: TcpSegment): string =>
  toHex(rest.slice(0, (offsetAndReserved >>> 4) * 4 - 20));
const plain = (text: string): string => text.replaceAll(' ', '');

describe.each([4, 6] as const)('IPv%i', (family) => {
  const { client, vip } = ENDS[family];
  const length = family === 4 ? 8 : 20;
  const toa = TOA[family].linux;

  /** After the handshake; the server began with 5000. */
  function talkOf(words = {}, options = {}): Talk & { isn: number } {
    const talk = new Talk(fullnat({ carry: 'toa', ...words }, options), family) as Talk & { isn: number };
    talk.isn = talk.client({ flags: SYN, seq: 1000 }).segment.sequence;
    talk.server({ flags: SYN_ACK, seq: 5000, ack: (talk.isn + 1) >>> 0 });
    return talk;
  }
  const first = { seq: 1001, ack: 5001 };

  function expectClient(sent: IpPacket): void {
    expect(checksumIsRight(sent)).toBe(true);
    expect(decodeClient(serialiseIp(sent), 'raw')).toMatchObject({
      carrier: 'toa',
      family,
      address: client,
      port: PORT,
    });
  }

  it.each(['linux', 'alibaba', 'dpvs'] as const)('stands in front of all other options (%s)', (profile) => {
    const talk = talkOf({ profile });
    const options = hex(`0101 ${TIMESTAMP}`);
    const { segment: sent, packet } = talk.client({ ...first, options, data: hex('aabb') });
    expect(optionsOf(sent)).toBe(plain(`${TOA[family][profile]} 0101 ${TIMESTAMP}`));
    expect(toHex(sent.rest.slice(-2))).toBe('aabb');
    expectClient(packet);
  });

  it('is on each segment until the server’s first data are acknowledged', () => {
    const talk = talkOf();
    const has = (says: object) => optionsOf(talk.client({ ...first, ...says }).segment) === plain(toa);
    expect([has({}), has({}), has({ flags: ACK | FIN }), has({ flags: ACK | 8, data: hex('00') })]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(has({ flags: ACK | 4 })).toBe(false);
    expect(has({ flags: 4 })).toBe(false);
    expect(has({ ack: 5002 })).toBe(false);
    expect(has({ ack: 5000 })).toBe(false);
    expect(has({})).toBe(true);
  });

  it('is on each SYN of alibaba, and on no FIN', () => {
    const talk = talkOf({ profile: 'alibaba' });
    const has = (says: object, port?: number) =>
      talk.client({ ...first, ...says }, port).segment.rest.length === length;
    expect([has({ flags: SYN, seq: 1000 }), has({ flags: SYN }, 5), has({}), has({ flags: ACK | FIN })]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const plainly = talkOf({ profile: 'dpvs' });
    expect(plainly.client({ flags: SYN }, 5).segment.rest).toHaveLength(0);
  });

  it('makes segments of the server smaller by as much', () => {
    const mss = (given: number): number => {
      const talk = talkOf();
      const options = hex(`0204 ${given.toString(16).padStart(4, '0')} 01 030307`);
      const { segment: sent, packet } = talk.server({ flags: SYN_ACK, seq: 5000, ack: (talk.isn + 1) >>> 0, options });
      expect(checksumIsRight(packet)).toBe(true);
      expect(optionsOf(sent).slice(8)).toBe('01030307');
      return (sent.rest[2]! << 8) | sent.rest[3]!;
    };
    const least = family === 4 ? 528 : 1200;
    expect([1460, least + 3, least, least - 1, 0].map(mss)).toEqual([1460 - length, least, least, least - 1, 0]);
    // Of what the client says nothing changes, nor later.
    const talk = talkOf();
    const options = hex('020405b4');
    expect(optionsOf(talk.client({ flags: SYN, seq: 1000, options }).segment)).toBe('020405b4');
    expect(optionsOf(talk.server({ seq: 5001, ack: 1, options }).segment)).toBe('020405b4');
  });

  it('lets nobody name himself', () => {
    const talk = talkOf();
    const own = hex('fe08 1234 01020304');
    const other = hex('fd14 1234 01020304050607080910111213141516');
    const unlike = hex('fe06 12345678 0101');
    expect(optionsOf(talk.client({ ...first, options: own }).segment)).toBe(plain(toa) + '01'.repeat(8));
    expect(optionsOf(talk.client({ ...first, ack: 7000, options: other }).segment)).toBe('01'.repeat(20));
    expect(optionsOf(talk.client({ flags: SYN, options: own }).segment)).toBe('01'.repeat(8));
    expect(optionsOf(talk.client({ ...first, ack: 7000, options: unlike }).segment)).toBe(toHex(unlike));
    for (const flags of [0, 1, 3, SYN | ACK | 1, 63]) {
      expect(optionsOf(talk.client({ ...first, flags, options: own }).segment)).toBe('01'.repeat(8));
    }
    // Nobody takes it for anything where none is carried.
    const without = talkOf({ carry: undefined });
    expect(optionsOf(without.client({ ...first, options: own }).segment)).toBe(toHex(own));
  });

  it('pushes no operation out of a full header, and what stands behind the end', () => {
    const talk = talkOf();
    // 40 bytes, with a client's own address, of which 18 stay.
    const options = hex(`fe08 1234 01020304 01 ${TIMESTAMP} 01 0508 0000000000 aa ${'01'.repeat(9)} 00 ee`);
    const { segment: sent, packet } = talk.client({ ...first, options, data: hex('aabb') });
    expect(optionsOf(sent)).toBe(plain(`${toa} ${TIMESTAMP} 0508 0000000000 aa 0101`));
    expect(toHex(sent.rest.slice(-2))).toBe('aabb');
    expectClient(packet);
  });

  const FULL = `fc1e ${'77'.repeat(28)} ${TIMESTAMP}`;

  it('goes in a segment of its own before one that is full', () => {
    const talk = talkOf();
    const says = { ...first, flags: ACK | 8 | 0x40, options: hex(FULL), data: hex('aabb') };
    const { outcomes, packet, segment: own } = talk.client(says, PORT, { tos: 0x10, ttl: 9 });
    expect(judged(outcomes)).toEqual(['forward client-address', 'forward fullnat-in']);
    expect(outcomes.map(({ made }) => made)).toEqual([false, true]);
    expect(own).toMatchObject({ sequence: (talk.isn + 1) >>> 0, acknowledgment: 5001, flags: ACK, window: 64_000 });
    expect(toHex(own.rest)).toBe(plain(`${toa} 0101 ${TIMESTAMP}`));
    if (isIpv6(packet)) expect(packet).toMatchObject({ trafficClass: 0x10, hopLimit: 8 });
    else expect(packet).toMatchObject({ identification: 0, flags: 2, tos: 0x10, ttl: 8 });
    expectClient(packet);
    const clients = packetIn(outcomes[1]!);
    const theirs = parseTcp(clients.payload);
    expect(theirs).toMatchObject({ sequence: (talk.isn + 1) >>> 0, flags: ACK | 8 | 0x40 });
    expect(toHex(theirs.rest)).toBe(plain(`${FULL} aabb`));
    expect(checksumIsRight(clients)).toBe(true);
  });

  it('goes without once the server has acknowledged what another one told', () => {
    const talk = talkOf();
    talk.client({ ...first, data: hex('aabb') });
    talk.server({ seq: 5001, ack: (talk.isn + 3) >>> 0 });
    const { outcomes, segment: sent } = talk.client({ ...first, seq: 1003, options: hex(FULL) });
    expect(outcomes).toHaveLength(1);
    expect(optionsOf(sent)).toBe(plain(FULL));
  });

  it('asks for room in the MTU, too: by what can be left out, then in a segment of its own', () => {
    const [header, mtu] = family === 4 ? [40, 1500] : [60, 1500];
    const talk = talkOf();
    const data = (options: number, over: number) => new Uint8Array(mtu - header - options + over);
    const DF = { flags: 2 };
    const fits = talk.client({ ...first, data: data(0, -length) }, PORT, DF);
    expect(fits.outcomes).toHaveLength(1);
    expectClient(fits.packet);
    const nops = hex('01'.repeat(20));
    expect(talk.client({ ...first, options: nops, data: data(20, 0) }, PORT, DF).outcomes).toHaveLength(1);
    const full = talk.client({ ...first, data: data(0, 1 - length) }, PORT, DF);
    expect(judged(full.outcomes)).toEqual(['forward client-address', 'forward fullnat-in']);
    expectClient(full.packet);
    const over = talk.client({ ...first, data: data(0, 1) }, PORT, DF);
    expect(judged(over.outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const rest = new DataView(packetIn(over.outcomes[1]!).payload.buffer).getUint32(4);
    expect(rest).toBe(mtu);
    if (family === 6) return;
    // What may be cut has room.
    const cut = talk.client({ ...first, data: data(0, 0) }, PORT, { flags: 0 });
    expect(judged(cut.outcomes)).toEqual(['forward fullnat-in', 'forward fragment']);
  });

  it('asks a sender of IPv6 for no less than each link takes', () => {
    if (family === 4) return;
    const interfaces = NETWORK.interfaces.map((each) => ({ ...each, mtu: each.name === 'srv' ? 1280 : 1500 }));
    const talk = talkOf({}, { network: { ...NETWORK, interfaces } });
    const { outcomes } = talk.client({ ...first, data: new Uint8Array(1300) });
    expect(new DataView(packetIn(outcomes[1]!).payload.buffer).getUint32(4)).toBe(1280);
  });

  it('replaces timestamps in a SYN where the profile does, wherever they stand', () => {
    for (const [profile, expected] of [
      ['linux', `01 ${TIMESTAMP} 01`],
      ['alibaba', '01'.repeat(12)],
      ['dpvs', '01'.repeat(12)],
    ] as const) {
      for (const carry of ['toa', undefined] as const) {
        const talk = talkOf({ profile, carry });
        const says = { flags: SYN, seq: 1000, options: hex(`01 ${TIMESTAMP} 01`) };
        const { segment: sent, packet } = talk.client(says);
        const told = profile === 'alibaba' && carry === 'toa' ? TOA[family].alibaba : '';
        expect(optionsOf(sent)).toBe(plain(told + expected));
        expect(checksumIsRight(packet)).toBe(true);
        const later = { ...first, ack: 9, options: says.options };
        expect(optionsOf(talk.client(later).segment)).toBe(plain(`01 ${TIMESTAMP} 01`));
      }
    }
  });

  it('grows the sum of a checksum that is only begun', () => {
    const talk = talkOf();
    const sent = segment([client, PORT], [vip, 80], first);
    new DataView(sent.payload.buffer).setUint16(16, 0x1000);
    const [outcome] = talk.director.send(frame(sent), 'cli', NOW, { partialChecksum: true });
    const without = talkOf({ carry: undefined });
    const [other] = without.director.send(frame(sent), 'cli', NOW, { partialChecksum: true });
    const sumIn = (each: typeof outcome) => parseTcp(packetIn(each!).payload).checksum;
    expect(sumIn(outcome) - sumIn(other)).toBe(length);
  });

  it('is refused where there is no TCP, and shown where there is', () => {
    const director = fullnat();
    const key = { protocol: 'udp', address: vip, port: 81 } as const;
    expect(() => director.addService({ ...key, carry: 'toa' })).toThrow(/udp/);
    director.addService({ fwmark: 3, family, carry: 'toa' });
    expect(director.services().at(-1)).toMatchObject({ fwmark: 3, carry: 'toa' });
  });
});
