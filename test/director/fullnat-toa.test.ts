/** TOA: on which segments it is, where it stands, and what makes room for it. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import { Reason } from '../../src/index.js';
import { decodeClient } from '../../src/toa/index.js';
import type { NetworkConfig, ProfileName } from '../../src/types.js';
import {
  answer,
  CPORT,
  ENDS,
  type Family,
  FULLNAT_NETWORK,
  fullNat,
  NOW,
  read,
  request,
  restored,
  type Says,
  send,
} from '../support/fullnat.js';
import {
  ACK,
  checksum,
  counting,
  FIN,
  hex,
  ipv4,
  ipv6,
  join,
  PSH,
  pseudoHeader,
  RST,
  SYN,
  toHex,
} from '../support/packets.js';

const CLIENT_ISN = 1000;
const SERVER_ISN = 70_000;
/** TOA of 10.0.0.2:40001 and of [fd00::2]:40001. */
const TOA = { 4: 'fe089c410a000002', 6: `fe149c41fd00${'00'.repeat(13)}02` };

const client = (director: Director, family: Family, says: Says = {}): Outcome[] =>
  director.send(request(family, { seq: CLIENT_ISN + 1, ack: SERVER_ISN + 1, flags: ACK, ...says }), 'cli', NOW);

/** A director whose client and server have exchanged their SYNs. */
function begun(family: Family, settings = {}, options = {}): Director {
  const director = fullNat({ carry: 'toa', ...settings }, options, ['tcp']);
  const { frame } = send(director, request(family, { seq: CLIENT_ISN, flags: SYN }), 'cli');
  const ack = (read(frame).seq! + 1) >>> 0;
  send(director, answer(family, read(frame).sport, { seq: SERVER_ISN, ack }), 'srv');
  return director;
}

/** An error of a router on the way to the server. */
function tooBig(family: Family, mtu: number, quote: Uint8Array): Uint8Array {
  const { router: source, local: destination } = ENDS[family];
  const message = new Uint8Array(8 + quote.length);
  message.set(family === 6 ? [2, 0] : [3, 4]);
  new DataView(message.buffer).setUint32(4, mtu);
  message.set(quote, 8);
  const covered = family === 6 ? join(pseudoHeader({ source, destination }, 58, message.length), message) : message;
  new DataView(message.buffer).setUint16(2, checksum(covered));
  return family === 6
    ? ipv6({ source, destination, protocol: 58 }, message)
    : ipv4({ source, destination, protocol: 1 }, message);
}

const narrow = (mtu: number): NetworkConfig => ({
  ...FULLNAT_NETWORK,
  interfaces: FULLNAT_NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu } : each)),
});

describe.each([4, 6] as const)('TOA over IPv%i', (family) => {
  const size = TOA[family].length / 2;

  it('stands in front of all options, on what acknowledges no data of the server, and our decoder reads it', () => {
    const director = begun(family);
    const stamps = hex('0101080a0000000100000002');
    for (const says of [
      {},
      { tcpOptions: stamps },
      { payload: counting(100), flags: ACK | PSH },
      { flags: ACK | FIN },
    ]) {
      const [{ frame } = {}] = client(director, family, says) as [Outcome];
      const got = read(frame!);
      expect(toHex(got.options)).toBe(TOA[family] + toHex(says.tcpOptions ?? new Uint8Array(0)));
      expect(got.isRight).toBe(true);
      expect(decodeClient(frame!, 'raw')).toMatchObject({ carrier: 'toa', address: ENDS[family].client, port: CPORT });
    }
    for (const says of [{ ack: SERVER_ISN + 2 }, { flags: RST | ACK }, { flags: RST }]) {
      expect(read(client(director, family, says)[0]!.frame)).toMatchObject({
        options: new Uint8Array(0),
        isRight: true,
      });
    }
  });

  it.each([
    ['linux', false, 'fe'],
    ['dpvs', false, 'fe'],
    ['alibaba', true, family === 6 ? 'fd' : 'fe'],
  ] as const)('of the profile %s: on a SYN: %s; its kind is %s', (profile: ProfileName, isOnSyn, kind) => {
    const director = fullNat({ carry: 'toa', profile }, {}, ['tcp']);
    const { frame } = send(director, request(family, { seq: CLIENT_ISN, flags: SYN }), 'cli');
    const toa = kind + TOA[family].slice(2);
    expect(toHex(read(frame).options)).toBe(isOnSyn ? toa : '');
    expect(read(frame).isRight).toBe(true);
    send(director, answer(family, read(frame).sport, { seq: SERVER_ISN, ack: read(frame).seq! + 1 }), 'srv');
    expect(toHex(read(client(director, family)[0]!.frame).options)).toBe(toa);
    expect(toHex(read(client(director, family, { flags: ACK | FIN })[0]!.frame).options)).toBe(
      profile === 'alibaba' ? '' : toa,
    );
  });

  it('a restored director tells it until the server’s first data are acknowledged', () => {
    const copy = restored(begun(family));
    const optionsOf = (says: Says) => toHex(read(client(copy, family, says)[0]!.frame).options);
    expect([optionsOf({}), optionsOf({ ack: SERVER_ISN + 2 })]).toEqual([TOA[family], '']);
    // So do its connections that begin then.
    const copied = restored(fullNat({ carry: 'toa', profile: 'alibaba' }, {}, ['tcp']));
    const { frame } = send(copied, request(family, { seq: CLIENT_ISN, flags: SYN }), 'cli');
    expect(read(frame).options).toHaveLength(size);
  });

  it('a restored director sends no packet of its own before a segment once the server has got more than the SYN', () => {
    const director = begun(family);
    const tcpOptions = join(hex('4d28'), new Uint8Array(38));
    expect(client(restored(director), family, { tcpOptions })).toHaveLength(2);
    const { sport, seq } = read(client(director, family, { payload: counting(10) })[0]!.frame);
    send(director, answer(family, sport, { seq: SERVER_ISN + 1, ack: seq! + 10, flags: ACK }), 'srv');
    expect(client(restored(director), family, { tcpOptions })).toHaveLength(1);
  });

  it('leaves room for itself in the MSS that the server tells, at even and odd places', () => {
    const least = family === 6 ? 1220 : 536;
    for (const [mss, told] of [
      [1460, 1460 - size],
      [least, least - size],
      [least - 1, least - size],
      [least - size, least - size],
      [least - size - 1, least - size - 1],
    ] as const) {
      for (const option of ['', '01']) {
        const director = fullNat({ carry: 'toa' }, {}, ['tcp']);
        const { frame } = send(director, request(family, { flags: SYN }), 'cli');
        const write = (value: number) =>
          hex(`${option}0204${value.toString(16).padStart(4, '0')}${option && '010101'}`);
        const back = send(director, answer(family, read(frame).sport, { tcpOptions: write(mss) }), 'srv');
        expect(toHex(read(back.frame).options)).toBe(toHex(write(told)));
        expect(read(back.frame).isRight).toBe(true);
      }
    }
  });

  it('of the client itself is effaced: nobody names himself', () => {
    const director = begun(family);
    for (const forged of [TOA[4], TOA[6], TOA[4].replace('fe', 'fd'), `0101${TOA[4]}0000`, `01${TOA[6]}030303ff`]) {
      const tcpOptions = hex(forged.padEnd(Math.ceil(forged.length / 8) * 8, '0'));
      const late = read(client(director, family, { tcpOptions, ack: SERVER_ISN + 2 })[0]!.frame);
      expect(toHex(late.options)).not.toMatch(/fe08|fd08|fe14|fd14/);
      expect(late.options.length).toBe(tcpOptions.length);
      expect(late.isRight).toBe(true);
    }
    // What no connection tracking takes for a segment goes with its own numbers, but unnamed as well; nothing is told in it.
    for (let flags = 0; flags < 64; flags++) {
      const others = begun(family);
      const tcpOptions = hex(TOA[family]);
      const sent = read(client(others, family, { tcpOptions, flags, ack: SERVER_ISN + 2 })[0]!.frame);
      expect([flags, toHex(sent.options)]).toEqual([flags, '01'.repeat(size)]);
      expect(sent.isRight).toBe(true);
    }
    // Another option of that kind is none.
    const tcpOptions = hex('fe0401020101fd02');
    expect(toHex(read(client(director, family, { tcpOptions, ack: SERVER_ISN + 2 })[0]!.frame).options)).toBe(
      'fe0401020101fd02',
    );
  });

  it('is there whatever SYNs come: another one does not take it away', () => {
    const director = begun(family);
    send(director, request(family, { seq: CLIENT_ISN + 77, flags: SYN }), 'cli');
    const seq = CLIENT_ISN + 78;
    expect(toHex(read(client(director, family, { seq })[0]!.frame).options)).toBe(TOA[family]);
  });

  it('takes the place of NOPs in a full header', () => {
    const director = begun(family);
    const nops = family === 4 ? 8 : 20;
    const sack = hex(
      `${'01'.repeat(nops)}${family === 4 ? '050a0000000100000002' : ''}080a0000000100000002`.padEnd(80, '01'),
    );
    expect(sack.length).toBe(40);
    const outcomes = client(director, family, { tcpOptions: sack });
    expect(outcomes.map(({ reason }) => reason)).toEqual(['fullnat-in']);
    const got = read(outcomes[0]!.frame);
    expect(toHex(got.options).startsWith(TOA[family])).toBe(true);
    expect(toHex(got.options)).toContain('080a0000000100000002');
    expect(got.isRight).toBe(true);
    expect(director.counters()['client-address-lost']).toBe(0n);
  });

  it('is taken off an MTU that a router between director and server tells', () => {
    const director = begun(family);
    const { frame } = client(director, family, { payload: counting(100) })[0]!;
    for (const [told, heard] of family === 6
      ? [
          [1400, 1400 - size],
          [1290, 1280],
          [1280, 1280],
        ]
      : [
          [1400, 1400 - size],
          [70, 68],
          [0, 0],
        ]) {
      const error = tooBig(family, told!, frame.subarray(0, 80));
      const [passed] = director.send(error, 'srv', NOW);
      expect(passed?.reason).toBe('icmp-out');
      const view = new DataView(passed!.frame.buffer, passed!.frame.byteOffset);
      expect(family === 6 ? view.getUint32(44) : view.getUint16(26)).toBe(heard);
    }
  });

  describe('without room', () => {
    it.each([
      ['in the header', { tcpOptions: hex(`fc28${'77'.repeat(38)}`) }, undefined],
      ['in a header that cannot be read', { tcpOptions: hex(`${'01'.repeat(36)}fc050000`) }, undefined],
      [
        'in the MTU',
        { payload: counting(1280 - (family === 6 ? 72 : 52) - 4), tcpOptions: hex('0101080a0000000900000008') },
        1280,
      ],
    ] as const)('%s a segment of its own goes before', (_, says, mtu) => {
      const director = begun(family, {}, mtu === undefined ? {} : { network: narrow(mtu) });
      const outcomes = client(director, family, { ...says, flags: ACK | PSH, df: true });
      expect(outcomes.map(({ reason }) => reason)).toEqual(['client-address', 'fullnat-in']);
      const [own, given] = outcomes.map(({ frame }) => read(frame));
      const stamps = 'payload' in says ? toHex(says.tcpOptions) : '';
      expect(toHex(own!.options)).toBe(TOA[family] + stamps);
      expect(own).toMatchObject({
        isRight: true,
        seq: given!.seq,
        ack: given!.ack,
        sport: given!.sport,
        ttl: given!.ttl,
      });
      expect(toHex(given!.options)).toBe(toHex(says.tcpOptions));
      expect(given!.isRight).toBe(true);
      // No identification, DF.
      if (family === 4) expect(toHex(outcomes[0]!.frame.subarray(4, 8))).toBe('00004000');
      expect(outcomes[0]!.frame.length).toBe((family === 6 ? 40 : 20) + 20 + size + stamps.length / 2);
    });

    it('a SYN goes without', () => {
      const director = fullNat({ carry: 'toa', profile: 'alibaba' }, {}, ['tcp']);
      const tcpOptions = hex(`fc28${'77'.repeat(38)}`);
      const outcomes = director.send(request(family, { seq: CLIENT_ISN, flags: SYN, tcpOptions }), 'cli', NOW);
      expect(outcomes.map(({ reason }) => reason)).toEqual(['fullnat-in']);
      expect(toHex(read(outcomes[0]!.frame).options)).toBe(toHex(tcpOptions));
    });

    it('it goes without once the server has got anything', () => {
      const director = begun(family);
      const { seq, sport } = read(client(director, family, { payload: counting(1) })[0]!.frame);
      send(director, answer(family, sport, { flags: ACK, seq: SERVER_ISN + 1, ack: seq! + 1 }), 'srv');
      const outcomes = client(director, family, { tcpOptions: hex(`fc28${'77'.repeat(38)}`) });
      expect(outcomes.map(({ reason }) => reason)).toEqual(['fullnat-in']);
    });

    it('anywhere it is lost, and counted', () => {
      const director = begun(family, {}, { plan: { arenaBytes: 1 << 16 } });
      const packet = request(family, {
        seq: CLIENT_ISN + 1,
        ack: SERVER_ISN + 1,
        flags: ACK,
        tcpOptions: hex(`fc28${'77'.repeat(38)}`),
      });
      const { burst } = director;
      burst.reset();
      const cli = director.interfaceIndex('cli');
      let count = 0;
      for (const length of [8000, 500, packet.length]) {
        try {
          for (; ; count++) {
            burst.reserve(length, cli).set(packet);
            burst.commit(packet.length);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'BURST_FULL' });
        }
      }
      expect(director.process(NOW)).toBe(count);
      expect(Array.from({ length: count }, (_, i) => burst.reason(i))).toEqual(new Array(count).fill(Reason.FullNatIn));
      expect(director.counters()['client-address-lost']).toBe(BigInt(count));
    });
  });
});
