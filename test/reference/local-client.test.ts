/** A client that is the director itself: what its NAT servers answer ends here, and is translated all the same. */
import { describe, expect, it } from 'vitest';
import { type Ipv4Packet, type ReferenceDirector, serialiseIpv4 } from '../../src/reference/index.js';
import { ACK, director, frame, judged, networkWith, RST, SERVER, SYN, tcp, tunnelled, udp, VIP } from './builders.js';
import { toHex } from './support.js';

const OWN = '10.0.0.1';
const REPLY = { source: SERVER, destination: OWN };
const RECORD = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);

/** One TCP and one UDP connection from port 40000 of the director's own. */
function connected(method: 'nat' | 'dr' | 'tun' = 'nat', options = {}): ReferenceDirector {
  const made = director(method, options);
  made.send(serialiseIpv4(tcp(SYN, [40000, 80], { source: OWN })), 'lo', 0);
  made.send(serialiseIpv4(udp([40000, 53], { source: OWN })), 'lo', 0);
  return made;
}

const reply = (made: ReferenceDirector, packet: Ipv4Packet, now = 0) => made.send(frame(packet, 'srv'), 'srv', now);

describe('a reply to the director itself', () => {
  it.each([
    ['TCP', tcp(SYN | ACK, [8080, 40000], REPLY), tcp(SYN | ACK, [80, 40000], { source: VIP, destination: OWN })],
    ['UDP', udp([5353, 40000], REPLY), udp([53, 40000], { source: VIP, destination: OWN })],
  ])('%s: comes from the VIP, with TTL and options as they were', (_, packet, expected) => {
    const words = { ttl: 1, options: RECORD };
    const bytes = frame({ ...packet, ...words }, 'srv', 0xe000);
    const outcomes = connected().send(Uint8Array.from([...bytes, 0, 0]), 'srv', 0);
    expect(outcomes).toMatchObject([{ verdict: 'local', reason: 'local-client', outInterface: undefined }]);
    const translated = toHex(serialiseIpv4({ ...expected, ...words }));
    expect(toHex(outcomes[0]!.frame)).toBe(toHex(bytes.slice(0, 18)) + translated);
  });

  it('needs no forwarding', () => {
    const made = connected('nat', { sysctl: { ip_forward: 0 } });
    expect(judged(reply(made, udp([5353, 40000], REPLY)))).toEqual(['local local-client']);
  });

  it('counts as out, and follows the output table', () => {
    const made = connected();
    reply(made, tcp(SYN | ACK, [8080, 40000], { ...REPLY, options: RECORD }));
    reply(made, tcp(RST, [8080, 40000], REPLY, 3), 1000);
    reply(made, udp([5353, 40000], REPLY, 5), 2000);
    const [tcpService, udpService] = made.services();
    expect(tcpService).toMatchObject({ stats: { outPackets: 2n, outBytes: 91n, inPackets: 1n } });
    expect(tcpService!.dests).toMatchObject([{ stats: { outPackets: 2n, outBytes: 91n } }]);
    expect(udpService).toMatchObject({ stats: { outPackets: 1n, outBytes: 33n, connections: 1n } });
    expect(made.connections(2000)).toMatchObject([
      { state: 'CLOSE', expires: 9, inPackets: 1 },
      { state: 'UDP', expires: 300, inPackets: 1 },
    ]);
  });

  it('cut short is dropped, and counts for nothing', () => {
    const made = connected();
    for (const [packet, length] of [
      [tcp(ACK, [8080, 40000], REPLY), 19],
      [udp([5353, 40000], REPLY), 7],
    ] as const) {
      const short = { ...packet, payload: packet.payload.slice(0, length) };
      expect(judged(reply(made, short, 1000))).toEqual(['drop transport-truncated']);
    }
    expect(made.connections(1000)[1]).toMatchObject({ expires: 299 });
    expect(made.services().map(({ stats }) => stats.outPackets)).toEqual([0n, 0n]);
  });

  it('is one of NAT alone, by all four of its ends', () => {
    const made = connected();
    for (const packet of [
      udp([5354, 40000], REPLY),
      udp([5353, 40001], REPLY),
      udp([5353, 40000], { ...REPLY, source: '10.1.0.12' }),
      udp([5353, 40000], { ...REPLY, destination: '10.1.0.1' }),
      tcp(ACK, [5353, 40000], REPLY),
    ]) {
      expect(judged(reply(made, packet))).toEqual(['local local-delivery']);
    }
    for (const method of ['dr', 'tun'] as const) {
      expect(judged(reply(connected(method), udp([53, 40000], REPLY)))).toEqual(['local local-delivery']);
    }
  });

  it('still comes from a server that was deleted, and is not counted', () => {
    const made = connected();
    const service = { protocol: 'udp', address: VIP, port: 53 } as const;
    made.deleteDest(service, { address: SERVER, port: 5353 });
    expect(judged(reply(made, udp([5353, 40000], REPLY)))).toEqual(['local local-client']);
    expect(made.services()[1]!.stats.outPackets).toBe(0n);
  });
});

describe('a packet that is a reply and more', () => {
  const service = { protocol: 'udp', address: OWN, port: 40000 } as const;
  const dest = { address: '10.1.0.12', port: 7, method: 'nat' } as const;
  const packet = udp([5353, 40000], REPLY);

  it('opens no connection to the service that it is addressed to', () => {
    const made = connected();
    made.addService(service);
    made.addDest(service, dest);
    expect(judged(reply(made, packet))).toEqual(['local local-client']);
    expect(made.connections(0)).toHaveLength(2);
  });

  it('belongs to the connection whose client sent it, if there is one', () => {
    const made = director('nat');
    made.addService(service);
    made.addDest(service, dest);
    expect(judged(reply(made, packet))).toEqual(['forward nat-in']);
    made.send(serialiseIpv4(udp([40000, 53], { source: OWN })), 'lo', 0);
    expect(judged(reply(made, packet))).toEqual(['forward nat-in']);
    expect(made.connections(0)).toMatchObject([{ inPackets: 2 }, { inPackets: 1 }]);
  });

  it('belongs to the newest connection that it fits', () => {
    const made = connected();
    const other = { protocol: 'udp', address: '10.1.0.1', port: 5300 } as const;
    made.addService(other);
    made.addDest(other, { address: SERVER, port: 5353, method: 'nat' });
    made.send(serialiseIpv4(udp([40000, 5300], { source: OWN, destination: '10.1.0.1' })), 'lo', 0);
    const [outcome] = reply(made, packet);
    const expected = udp([5300, 40000], { source: '10.1.0.1', destination: OWN });
    expect(toHex(outcome!.frame.slice(14))).toBe(toHex(serialiseIpv4(expected)));
  });
});

it('a reply out of a tunnel says whose it is, and leaves the tunnel behind', () => {
  const made = connected('nat', { network: networkWith({ name: 'tunl0', kind: 'ipip' }) });
  const outer = tunnelled(udp([5353, 40000], REPLY), '10.1.0.12', '10.1.0.1');
  const [outcome] = reply(made, outer);
  expect(judged([outcome!])).toEqual(['local local-client']);
  expect(toHex(outcome!.frame)).toBe(toHex(serialiseIpv4(udp([53, 40000], { source: VIP, destination: OWN }))));
});
