/** ICMP errors about the director's own tunnel packets: what the client is told, and what MTU a path is learnt to have. */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import type { DestConfig, NetworkConfig } from '../../src/types.js';
import {
  CLIENT,
  FOU_PORT,
  fromClient,
  fromServer,
  judged,
  lab,
  NETWORK,
  request,
  request6,
  SERVERS,
  TCP_KEY,
  TUN,
  VIP,
} from '../support/lab.js';
import { ACK, icmp, tcp, toHex } from '../support/packets.js';
import { gre, gue, ipInIp } from '../support/tunnels.js';

const ROUTER = '10.1.0.254';
const reply = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000, flags: ACK });

/** With the connection of the TCP request open. */
function opened(dest: DestConfig): Director {
  const director = lab([dest]);
  director.send(fromClient(request('tcp')), 'cli', 0);
  return director;
}

describe('errors about our own tunnel packets', () => {
  const outer = { source: '10.1.0.1', destination: SERVERS[0] };
  const inner = request('tcp', { flags: ACK, df: true, ttl: 63, payload: new Uint8Array(100) });
  const error = (type: number, code: number, quote: Uint8Array, rest = 0): Uint8Array =>
    fromServer(icmp({ source: ROUTER, destination: '10.1.0.1' }, type, code, quote, rest));
  const big = (length: number): Uint8Array =>
    fromClient(request('tcp', { flags: ACK, df: true, payload: new Uint8Array(length - 40) }));

  /** The MTU that the client is told. */
  function told(director: Director, frame: Uint8Array, by: string, now = 0): number | undefined {
    const answer = director.send(frame, by, now).find(({ made }) => made);
    if (answer === undefined) return undefined;
    expect(toHex(answer.frame.slice(14 + 20, 14 + 22))).toBe('0304');
    return new DataView(answer.frame.buffer, answer.frame.byteOffset).getUint32(14 + 24);
  }

  it.each([
    [3, 0, 0],
    [3, 1, 0x12345678],
    [3, 13, 0],
    [4, 0, 0],
    [11, 0, 0],
    [11, 1, 7],
  ])('%i/%i goes to the client, from the service, about what it sent', (type, code, rest) => {
    const director = opened(TUN);
    const outcomes = director.send(error(type, code, ipInIp(outer, inner), rest), 'srv', 0);
    expect(judged(outcomes)).toEqual(['drop icmp-consumed', 'forward icmp-relayed']);
    const packet = outcomes[1]?.frame.slice(14) as Uint8Array;
    const id = new DataView(packet.buffer).getUint16(4);
    const expected = icmp({ source: VIP, destination: CLIENT, tos: 0xc0, id }, type, code, inner, rest);
    expect(toHex(packet)).toBe(toHex(expected));
  });

  it.each([
    [43, ['local local-delivery']],
    [44, ['drop icmp-consumed', 'forward icmp-relayed']],
  ])('of %i quoted bytes', (length, expected) => {
    const director = opened(TUN);
    const outcomes = director.send(error(3, 1, ipInIp(outer, inner).subarray(0, length)), 'srv', 0);
    expect(judged(outcomes)).toEqual(expected);
    // As much is passed on as there is.
    if (length === 44) expect(outcomes[1]?.frame.length).toBe(14 + 28 + 24);
  });

  it.each<[string, DestConfig, Uint8Array]>([
    ['IPIP to a GRE dest', { ...TUN, tunnel: { type: 'gre' } }, ipInIp(outer, inner)],
    ['GRE to an IPIP dest', TUN, gre(outer, inner)],
    [
      'GUE to another port',
      { ...TUN, tunnel: { type: 'gue', port: 6081 } },
      gue({ ...outer, sport: 1, dport: FOU_PORT }, inner),
    ],
    ['IPIP to another dest', TUN, ipInIp({ ...outer, destination: SERVERS[1] }, inner)],
    ['IPIP of no connection', TUN, ipInIp(outer, request('tcp', { sport: 1 }))],
    ['IPIP of a reply', TUN, ipInIp(outer, reply)],
    ['a later fragment', TUN, ipInIp({ ...outer, offset: 5 }, inner)],
    ['a later fragment inside', TUN, ipInIp(outer, request('tcp', { offset: 5 }))],
    ['IPv6 inside', TUN, ipInIp(outer, request6('tcp'))],
    [
      'a control packet of GUE',
      { ...TUN, tunnel: { type: 'gue', port: FOU_PORT } },
      gue({ ...outer, sport: 1, dport: FOU_PORT }, inner).map((byte, i) => (i === 28 ? 0x20 : byte)),
    ],
  ])('not about %s', (_, dest, quote) => {
    const director = opened(dest);
    expect(judged(director.send(error(3, 1, quote), 'srv', 0))).toEqual(['local local-delivery']);
  });

  it('not about a deleted dest, not with a wrong checksum', () => {
    const director = opened(TUN);
    const frame = error(3, 1, ipInIp(outer, inner));
    frame[36] = (frame[36] as number) ^ 1;
    expect(judged(director.send(frame, 'srv', 0))).toEqual(['drop icmp-checksum']);
    for (const service of director.services()) director.deleteDest(service, TUN);
    expect(judged(director.send(error(3, 1, ipInIp(outer, inner)), 'srv', 0))).toEqual(['local local-delivery']);
  });

  it('opens no connection of its tunnel’s ports, whose mark a service has', () => {
    const director = lab([{ ...TUN, tunnel: { type: 'gue', port: FOU_PORT } }]);
    director.setSysctl({ schedule_icmp: 1 });
    const key = { fwmark: 7, family: 4 } as const;
    director.addService({ ...key, scheduler: 'rr' });
    director.addDest(key, { address: SERVERS[1], method: 'nat' });
    const quote = gue({ ...outer, sport: 1, dport: FOU_PORT }, inner);
    for (const quoted of [quote, quote.subarray(0, 38)]) {
      expect(judged(director.send(error(3, 1, quoted), 'srv', 0, { mark: 7 }))).toEqual(['local local-delivery']);
    }
    expect(director.connectionCount).toBe(0);
  });

  describe('several tunnels to one place', () => {
    const SHARED = { ...TCP_KEY, port: 81 };
    const GRE: DestConfig = { ...TUN, tunnel: { type: 'gre' } };
    const relayed = ['drop icmp-consumed', 'forward icmp-relayed'];
    const host = ['local local-delivery'];

    /** With a GRE connection, and a service that has a dest of the same address. */
    function shared(other: DestConfig): { director: Director; fate(quote?: Uint8Array): string[] } {
      const director = opened(GRE);
      director.addService({ ...SHARED, scheduler: 'rr' });
      director.addDest(SHARED, other);
      return { director, fate: (quote = gre(outer, inner)) => judged(director.send(error(3, 1, quote), 'srv', 0)) };
    }

    it.each<[string, DestConfig, string[]]>([
      ['IPIP', TUN, host],
      ['GRE', GRE, relayed],
      ['GUE, which has a port', { ...TUN, tunnel: { type: 'gue', port: FOU_PORT } }, relayed],
      ['DR', { address: SERVERS[0], method: 'dr' }, relayed],
    ])('the last one given counts: %s', (_, other, expected) => {
      expect(shared(other).fate()).toEqual(expected);
    });

    it('given is what is added, or edited to another tunnel', () => {
      const { director, fate } = shared(TUN);
      director.editDest(TCP_KEY, { ...GRE, weight: 7 });
      expect(fate()).toEqual(host);
      director.editDest(TCP_KEY, TUN);
      director.editDest(TCP_KEY, GRE);
      expect(fate()).toEqual(relayed);
      director.editDest(SHARED, { address: SERVERS[0], method: 'dr' });
      director.editDest(SHARED, TUN);
      expect(fate()).toEqual(host);
      // Whose connection it is does not matter.
      expect(fate(ipInIp(outer, inner))).toEqual(relayed);
      director.deleteDest(SHARED, TUN);
      expect(fate()).toEqual(relayed);
      director.addDest(SHARED, TUN);
      expect(fate()).toEqual(host);
    });

    it('not about GRE with a key', () => {
      const { fate } = shared(GRE);
      const quote = gre(outer, inner);
      const keyed = Uint8Array.of(...quote.slice(0, 24), 0, 0, 0, 7, ...quote.slice(24));
      keyed[20] = 0x20;
      expect(fate(keyed)).toEqual(host);
    });
  });

  describe.each<[string, DestConfig, (inner: Uint8Array) => Uint8Array, number]>([
    ['IPIP', TUN, (packet) => ipInIp(outer, packet), 20],
    ['GRE', { ...TUN, tunnel: { type: 'gre' } }, (packet) => gre(outer, packet), 24],
    [
      'GRE with checksum',
      { ...TUN, tunnel: { type: 'gre', checksum: 'csum' } },
      (packet) => gre({ ...outer, sum: 'right' }, packet),
      28,
    ],
    [
      'GUE',
      { ...TUN, tunnel: { type: 'gue', port: FOU_PORT } },
      (packet) => gue({ ...outer, sport: 1, dport: FOU_PORT }, packet),
      32,
    ],
  ])('the MTU of a path by %s', (_, dest, wrap, overhead) => {
    const tooBig = (mtu: number): Uint8Array => error(3, 4, wrap(inner), mtu);

    it('is learnt, and counts from the next packet on; what is learnt then counts at once', () => {
      const director = opened(dest);
      expect(told(director, tooBig(1300), 'srv')).toBe(1500 - overhead);
      expect(told(director, tooBig(1200), 'srv')).toBe(1500 - overhead);
      expect(told(director, big(1400), 'cli')).toBe(1200 - overhead);
      expect(told(director, tooBig(1150), 'srv')).toBe(1150 - overhead);
      expect(told(director, tooBig(1350), 'srv'), 'no larger one is believed').toBe(1150 - overhead);
      expect(told(director, big(1151 - overhead), 'cli')).toBe(1150 - overhead);
      expect(told(director, big(1150 - overhead), 'cli')).toBeUndefined();
    });

    it.each([0, 100, 551])('is never taken to be %i', (mtu) => {
      const director = opened(dest);
      told(director, tooBig(mtu), 'srv');
      expect(told(director, big(1400), 'cli')).toBe(552 - overhead);
    });

    it('is forgotten after ten minutes', () => {
      const director = opened(dest);
      const life = 600_000;
      told(director, tooBig(1300), 'srv', 1000);
      // The connection ends in between.
      director.send(fromClient(request('tcp')), 'cli', 1000 + life - 2);
      expect(told(director, big(1400), 'cli', 1000 + life - 1)).toBe(1300 - overhead);
      expect(told(director, big(1400), 'cli', 1000 + life)).toBeUndefined();
      expect(told(director, tooBig(1300), 'srv', 1000 + life), 'and learnt like new').toBe(1500 - overhead);
    });

    it('is half a word: the other half is not looked at', () => {
      const director = opened(dest);
      told(director, tooBig(0x1234_0000 + 1300), 'srv');
      expect(told(director, big(1400), 'cli')).toBe(1300 - overhead);
      expect(told(director, tooBig(0x1234_0000 + 1200), 'srv')).toBe(1200 - overhead);
    });

    it('counts for the way that a packet took only if that one had a learnt one, however the link has changed', () => {
      const withMtu = (mtu: number): NetworkConfig => ({
        ...NETWORK,
        interfaces: NETWORK.interfaces.map((each) => (each.name === 'srv' ? { ...each, mtu } : each)),
      });
      const director = lab([dest], { network: withMtu(1400) });
      director.send(fromClient(request('tcp')), 'cli', 0);
      director.setNetwork(withMtu(1500));
      expect(told(director, tooBig(1300), 'srv')).toBe(1400 - overhead);
      // This one knows it, and goes by the larger link.
      expect(told(director, big(1400), 'cli')).toBe(1300 - overhead);
      expect(told(director, tooBig(1200), 'srv')).toBe(1200 - overhead);
    });

    it('holds for all dests of that address', () => {
      const director = opened(dest);
      const other = { ...TCP_KEY, port: 81 };
      director.addService({ ...other, scheduler: 'rr' });
      director.addDest(other, dest);
      told(director, tooBig(1300), 'srv');
      const to81 = request('tcp', { dport: 81, df: true, payload: new Uint8Array(1360) });
      expect(told(director, fromClient(to81), 'cli')).toBe(1300 - overhead);
    });

    it('is learnt from a packet without DF, too, of which nobody is told', () => {
      const director = opened(dest);
      const without = request('tcp', { flags: ACK, ttl: 63, payload: new Uint8Array(100) });
      expect(told(director, error(3, 4, wrap(without), 1300), 'srv')).toBeUndefined();
      expect(told(director, big(1400), 'cli')).toBe(1300 - overhead);
    });
  });
});
