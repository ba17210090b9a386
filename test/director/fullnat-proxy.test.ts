/** The PROXY protocol: where its header stands, whose numbers follow, and that the client hears nothing of it. */
import { describe, expect, it } from 'vitest';
import { addressBytes, formatAddress } from '../../src/address.js';
import type { Director, Outcome } from '../../src/director.js';
import { decodeClient } from '../../src/toa/index.js';
import type { NetworkConfig } from '../../src/types.js';
import { fragmentsOf } from '../support/fragments.js';
import {
  answer,
  CPORT,
  ENDS,
  type Family,
  FULLNAT_NETWORK,
  fullNat,
  NOW,
  portOf,
  read,
  request,
  type Says,
  send,
} from '../support/fullnat.js';
import { ACK, counting, FIN, hex, icmp, join, PSH, RST, SYN, toHex } from '../support/packets.js';

const ISN = 0xffff_ffff;
const SERVER_ISN = 70_000;
const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

/** What follows the transport header. */
function payloadOf(frame: Uint8Array, transport: 'tcp' | 'udp' = 'tcp'): Uint8Array {
  const l4 = frame[0]! >> 4 === 6 ? 40 : (frame[0]! & 15) * 4;
  return frame.subarray(l4 + (transport === 'udp' ? 8 : (frame[l4 + 12]! >> 4) * 4));
}

const HEADER: Readonly<Record<'proxy-v1' | 'proxy-v2', Readonly<Record<Family, string>>>> = {
  'proxy-v1': {
    4: toHex(new TextEncoder().encode('PROXY TCP4 10.0.0.2 10.0.0.100 40001 80\r\n')),
    6: toHex(new TextEncoder().encode('PROXY TCP6 fd00::2 fd00::100 40001 80\r\n')),
  },
  'proxy-v2': {
    4: '0d0a0d0a000d0a515549540a2111000c0a0000020a0000649c410050',
    6: `0d0a0d0a000d0a515549540a21210024fd00${'00'.repeat(13)}02fd00${'00'.repeat(12)}01009c410050`,
  },
};

const narrow = (mtu: number): NetworkConfig => ({
  ...FULLNAT_NETWORK,
  interfaces: FULLNAT_NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu } : each)),
});

/** Servers are on a link of which no neighbour is known. */
const onEthernet: NetworkConfig = {
  ...FULLNAT_NETWORK,
  interfaces: FULLNAT_NETWORK.interfaces.map((each) =>
    each.name === 'srv' ? { ...each, kind: 'ether', mac: '02:00:00:00:01:01' } : each,
  ),
};

class Session {
  readonly director: Director;
  readonly family: Family;
  /** Number of the SYN as the server has it. */
  readonly isn: number;
  readonly lport: number;

  constructor(family: Family, carry: 'proxy-v1' | 'proxy-v2', network: NetworkConfig = FULLNAT_NETWORK) {
    this.family = family;
    this.director = fullNat({ carry }, { network }, ['tcp']);
    const { frame } = send(this.director, request(family, { seq: ISN, flags: SYN }), 'cli');
    expect(payloadOf(frame).length).toBe(0);
    this.isn = read(frame).seq!;
    this.lport = read(frame).sport;
    const back = this.server({ flags: SYN | ACK, seq: SERVER_ISN, got: 0 });
    expect(back).toMatchObject({ ack: 0, isRight: true });
  }

  /** A segment of the client, `at` bytes behind its first one. */
  all(at: number, says: Says = {}): Outcome[] {
    const seq = (ISN + 1 + at) >>> 0;
    return this.director.send(request(this.family, { seq, ack: SERVER_ISN + 1, flags: ACK, ...says }), 'cli', NOW);
  }

  client(at: number, says: Says = {}) {
    const { frame } = this.all(at, says)[0]!;
    const { seq, isRight } = read(frame);
    expect(isRight).toBe(true);
    return { at: (seq! - this.isn - 1) | 0, data: toHex(payloadOf(frame)), frame };
  }

  /** A segment of the server that acknowledges `got` bytes as it counts; what the client sees of it. */
  server({ got, ...says }: Says & { got: number }) {
    const ack = (this.isn + 1 + got) >>> 0;
    return read(
      send(this.director, answer(this.family, this.lport, { seq: SERVER_ISN + 1, flags: ACK, ...says, ack }), 'srv')
        .frame,
    );
  }
}

describe.each(['proxy-v1', 'proxy-v2'] as const)('%s', (carry) => {
  describe.each([4, 6] as const)('over IPv%i', (family) => {
    const header = HEADER[carry][family];
    const size = header.length / 2;

    it('goes with the handshake’s last segment, in front of nothing', () => {
      const one = new Session(family, carry);
      const { at, data, frame } = one.client(0);
      expect({ at, data }).toEqual({ at: 0, data: header });
      expect(decodeClient(frame, 'raw')).toMatchObject({ carrier: carry, address: ENDS[family].client, port: CPORT });
    });

    it('goes again with whatever has the first byte, until the server has it all', () => {
      const one = new Session(family, carry);
      one.client(0);
      const payload = counting(7, 65);
      const more = toHex(payload);
      expect(one.client(0, { payload, flags: ACK | PSH })).toMatchObject({ at: 0, data: header + more });
      expect(one.client(7, { payload })).toMatchObject({ at: size + 7, data: more });
      // The client hears of its own bytes alone.
      for (const [got, heard] of [
        [0, 0],
        [1, 0],
        [size - 1, 0],
      ] as const) {
        expect(one.server({ got })).toMatchObject({ ack: (ISN + 1 + heard) >>> 0, isRight: true });
        expect(one.client(0, { payload })).toMatchObject({ at: 0, data: header + more });
      }
      expect(one.server({ got: size })).toMatchObject({ ack: (ISN + 1) >>> 0, isRight: true });
      expect(one.client(0, { payload })).toMatchObject({ at: size, data: more });
      expect(one.server({ got: size + 14 })).toMatchObject({ ack: (ISN + 1 + 14) >>> 0, isRight: true });
      expect(one.client(14, { flags: ACK | FIN })).toMatchObject({ at: size + 14, data: '' });
    });

    it('counts in an urgent pointer', () => {
      const one = new Session(family, carry);
      const packet = request(family, { seq: ISN + 1, ack: SERVER_ISN + 1, flags: ACK | 0x20, payload: counting(7) });
      const l4 = family === 6 ? 40 : 20;
      const view = new DataView(packet.buffer);
      view.setUint16(l4 + 18, 2);
      view.setUint16(l4 + 16, (view.getUint16(l4 + 16) + 0xffff - 2) % 0xffff);
      const { frame } = send(one.director, packet, 'cli');
      expect(new DataView(frame.buffer, frame.byteOffset).getUint16(l4 + 18)).toBe(size + 2);
      expect(read(frame)).toMatchObject({ isRight: true });
    });

    it('that was never sent is not heard, whatever the server acknowledges', () => {
      const one = new Session(family, carry);
      one.server({ got: size + 5 });
      expect(one.client(0)).toMatchObject({ at: 0, data: header });
    });

    it('is about the first byte to the client when an error quotes it', () => {
      const one = new Session(family, carry);
      const { frame } = one.client(0);
      const { router: source, local: destination } = ENDS[family];
      const error = icmp({ source, destination }, family === 4 ? 3 : 1, family === 4 ? 1 : 3, frame);
      const told = send(one.director, error, 'srv');
      expect(told.reason).toBe('icmp-out');
      const quoted = told.frame.subarray(family === 4 ? 28 : 48);
      expect(read(quoted).seq).toBe((ISN + 1) >>> 0);
    });

    it('that came out of order is the client’s SYN to it, whatever else is acknowledged', () => {
      const one = new Session(family, carry);
      one.client(0);
      const word = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
      const block = (from: number, to: number) => `0101050a${word(from)}${word(to)}`;
      const tcpOptions = hex(block(one.isn + 11, one.isn + 21));
      // The SYN is acknowledged, a part of the header, or nothing.
      for (const [got, heard] of [
        [0, 0],
        [5, 0],
        [-1, -1],
        [-100, -100],
      ] as const) {
        const { ack, options, isRight } = one.server({ got, tcpOptions });
        expect({ ack, options: toHex(options), isRight }).toEqual({
          ack: (ISN + 1 + heard) >>> 0,
          options: block(ISN + 1, ISN + 1),
          isRight: true,
        });
      }
    });

    it('leaves its place to nobody else’s bytes: data before the first byte, or with a SYN, are dropped', () => {
      const forged = counting(60, 65);
      for (const [at, says] of [
        [-1, { payload: forged, flags: ACK | PSH }],
        [-3, { payload: forged }],
        [-1, { payload: forged, flags: SYN }],
        [0, { payload: forged, flags: SYN | ACK }],
      ] as const) {
        const one = new Session(family, carry);
        expect(one.all(at, says).map(({ reason }) => reason)).toEqual(['tcp-option']);
        expect(one.client(0)).toMatchObject({ at: 0, data: header });
      }
      // Who is next on the way comes first.
      const lost = new Session(family, carry);
      lost.director.setNetwork(onEthernet);
      expect(lost.all(-1, { payload: forged }).map(({ reason }) => reason)).toEqual(['no-neighbour']);
      // A keepalive's byte is none of them.
      expect(new Session(family, carry).client(-1, { payload: counting(1) })).toMatchObject({ at: -1 });
    });

    it('moves a stream by its length, however long that is', () => {
      const one = new Session(family, carry);
      one.client(0);
      one.server({ got: size });
      for (const far of [1000, 0x7fff_fffe, 0x8000_0000, 0xf000_0000]) {
        expect(one.client(far).at | 0).toBe((far + size) | 0);
        expect(one.server({ got: far + size })).toMatchObject({ ack: (ISN + 1 + far) >>> 0 });
      }
    });

    it('numbers of a stream that ends at once, or is reset, fit, too', () => {
      const one = new Session(family, carry);
      expect(one.client(0, { flags: ACK | FIN })).toMatchObject({ at: 0, data: header });
      expect(new Session(family, carry).client(0, { flags: RST | ACK })).toMatchObject({ at: 0, data: '' });
      const heard = new Session(family, carry);
      heard.client(0);
      heard.server({ got: size });
      expect(heard.client(0, { flags: RST | ACK })).toMatchObject({ at: size, data: '' });
    });

    it('goes ahead in a segment of its own where the first one is too long', () => {
      const one = new Session(family, carry, narrow(1280));
      const payload = counting(1280 - (family === 6 ? 60 : 40) - 12 - 3);
      const tcpOptions = hex('0101080a0000000900000008');
      const outcomes = one.all(0, { payload, tcpOptions, flags: ACK | PSH, df: true });
      expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'fullnat-in']);
      const [own, given] = outcomes.map(({ frame }) => ({ ...read(frame), data: toHex(payloadOf(frame)) }));
      expect(own).toMatchObject({ data: header, seq: (one.isn + 1) >>> 0, isRight: true });
      expect(toHex(own!.options)).toBe(toHex(tcpOptions));
      expect(given).toMatchObject({ data: toHex(payload), seq: (one.isn + 1 + size) >>> 0, isRight: true });
    });
  });
});

describe('addresses of IPv6 in the text', () => {
  it.each([
    ...[
      'fd00:9::1',
      'fd00:9:1::',
      'fd00:9:1:0:0:1::',
      'fd00:9:0:1:1:0:0:1',
      'fd00:9:a:b:c:d:e:f',
      'fd00:9:1:2:3:4:5:0',
    ],
    ...['fd00:9:0:1:2:3:4:5', 'fd00:9:1234:567:89:a:0:0'],
  ])('%s is as RFC 5952 has it', (source) => {
    const director = fullNat({ carry: 'proxy-v1' }, {}, ['tcp'], [6]);
    director.send(request(6, { source, seq: ISN, flags: SYN }), 'cli', NOW);
    const { frame } = send(director, request(6, { source, seq: 0, ack: 1, flags: ACK }), 'cli');
    expect(text(payloadOf(frame))).toBe(
      `PROXY TCP6 ${formatAddress(addressBytes(source).bytes)} fd00::100 40001 80\r\n`,
    );
    expect(read(frame).isRight).toBe(true);
  });
});

it('a header that is longer than the MTU is lost, and counted', () => {
  const one = new Session(4, 'proxy-v1', narrow(68));
  expect(one.all(0, { df: true }).map(({ reason }) => reason)).toEqual(['fullnat-in']);
  expect(one.director.counters()['client-address-lost']).toBe(1n);
});

describe('the PROXY protocol over UDP', () => {
  const datagramHeader = (family: Family): string =>
    HEADER['proxy-v2'][family].replace('2111000c', '2112000c').replace('21210024', '21220024');

  it.each([4, 6] as const)('stands in front of each datagram over IPv%i', (family) => {
    const director = fullNat({ carry: 'proxy-v2' }, {}, ['udp']);
    const header = datagramHeader(family);
    for (const payload of [counting(9), new Uint8Array(0)]) {
      const { frame } = send(director, request(family, { protocol: 'udp', payload }), 'cli');
      expect(toHex(payloadOf(frame, 'udp'))).toBe(header + toHex(payload));
      expect(read(frame).isRight).toBe(true);
      const l4 = family === 6 ? 40 : 20;
      expect(new DataView(frame.buffer, frame.byteOffset).getUint16(l4 + 4)).toBe(frame.length - l4);
      expect(decodeClient(frame, 'raw')).toMatchObject({ carrier: 'proxy-v2', address: ENDS[family].client });
    }
    const back = send(director, answer(family, portOf(director), { protocol: 'udp', payload: counting(3) }), 'srv');
    expect(toHex(payloadOf(back.frame, 'udp'))).toBe(toHex(counting(3)));
    expect(text(payloadOf(back.frame, 'udp'))).not.toContain('QUIT');
  });

  it('leaves the client that much less of the MTU, and tells it', () => {
    const director = fullNat({ carry: 'proxy-v2' }, { network: narrow(1280) }, ['udp']);
    const ask = (length: number) =>
      director.send(request(4, { protocol: 'udp', payload: counting(length - 28), df: true }), 'cli', NOW);
    expect(ask(1280 - 28).map(({ reason }) => reason)).toEqual(['fullnat-in']);
    const [dropped, told] = ask(1280 - 27);
    expect([dropped?.reason, told?.reason]).toEqual(['too-big', 'fragmentation-needed']);
    expect(new DataView(told!.frame.buffer, told!.frame.byteOffset).getUint16(26)).toBe(1280 - 28);
  });

  it('asks a client of IPv6 for no less than each link carries', () => {
    const director = fullNat({ carry: 'proxy-v2' }, { network: narrow(1280) }, ['udp']);
    const packet = request(6, { protocol: 'udp', payload: counting(1280 - 48) });
    const [dropped, told] = director.send(packet, 'cli', NOW);
    expect([dropped?.reason, told?.reason]).toEqual(['too-big', 'fragmentation-needed']);
    expect(new DataView(told!.frame.buffer, told!.frame.byteOffset).getUint32(44)).toBe(1280);
  });

  it('is cut anew with a datagram of IPv6 that came in fragments, of which one is as long as the MTU', () => {
    const director = fullNat({ carry: 'proxy-v2' }, { network: narrow(1280) }, ['udp']);
    const payload = counting(2000);
    const outcomes = fragmentsOf(request(6, { protocol: 'udp', payload }), [1232]).flatMap((fragment) =>
      director.send(fragment, 'cli', NOW),
    );
    expect(outcomes.map(({ reason }) => reason)).toEqual(['fragment-held', 'fullnat-in', 'fragment']);
    // Behind both headers of IPv6.
    const parts = outcomes.slice(1).map(({ frame }) => frame.subarray(48));
    expect(toHex(join(...parts).subarray(8))).toBe(datagramHeader(6) + toHex(payload));
    expect(outcomes[1]!.frame.length).toBe(1280);
  });
});
