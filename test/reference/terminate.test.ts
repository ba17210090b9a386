/** Tunnels that end at the director: what comes out is judged anew, as come in on the tunnel's interface. */
import { describe, expect, it } from 'vitest';
import {
  type IpPacket,
  internetChecksum,
  encapsulate as intoTunnel,
  parseAnyAddress,
  pseudoHeader,
  serialiseIp,
  type Tunnel,
} from '../../src/reference/index.js';
import { judged, SYN } from './builders.js';
import { ENDS, fragment4, frame, NETWORK, packet, packetOf, plainDirector, tcp, udp } from './builders6.js';
import { toHex } from './support.js';

type Family = 4 | 6;

const TYPES = ['ipip', 'gre', 'gre csum', 'gue', 'gue csum'] as const;
const INTERFACE = {
  4: { ipip: { 4: 'tunl0', 6: 'sit0' }, gre: 'gre0' },
  6: { ipip: { 4: 'ip6tnl0', 6: 'ip6tnl0' }, gre: 'ip6gre0' },
};

/** The packet in a tunnel from the client to the director. */
function tunnelled(
  inner: IpPacket,
  outside: Family,
  how: (typeof TYPES)[number],
  words: Partial<Tunnel> = {},
): IpPacket {
  const { client, own } = ENDS[outside];
  const [type = 'ipip', checksum = 'nocsum'] = how.split(' ');
  return intoTunnel(
    { packet: inner, partialChecksum: false },
    {
      type: type as Tunnel['type'],
      checksum: checksum as Tunnel['checksum'],
      source: parseAnyAddress(client),
      destination: parseAnyAddress(own),
      identification: 1,
      copyDf: true,
      ecn: 'copy',
      sourcePort: 40_000,
      destinationPort: 6080,
      ...words,
    },
  ).packet;
}

const request = (family: Family, words = {}): IpPacket => {
  const { client, vip } = ENDS[family];
  return tcp([client, 1], [vip, 80], SYN, 0, words);
};

function director(without?: string) {
  const interfaces = NETWORK.interfaces.filter(({ name }) => name !== without);
  const made = plainDirector({ network: { ...NETWORK, interfaces } });
  for (const family of [4, 6] as const) {
    const { vip, server } = ENDS[family];
    const key = { protocol: 'tcp', address: vip, port: 80 } as const;
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: server, port: 8080, method: 'nat' });
  }
  return made;
}

const cases = ([4, 6] as const).flatMap((outside) =>
  ([4, 6] as const).flatMap((inside) => TYPES.map((how) => ({ outside, inside, how }))),
);

describe.each(cases)('IPv$inside in IPv$outside by $how', ({ outside, inside, how }) => {
  const outer = (words = {}) => tunnelled(request(inside, words), outside, how);

  it('is balanced as what is inside', () => {
    const made = director();
    const [outcome] = made.send(frame(outer()), 'cli', 0);
    expect(judged([outcome!])).toEqual(['forward nat-in']);
    const [direct] = director().send(frame(request(inside)), 'cli', 0);
    expect(toHex(outcome!.frame)).toBe(toHex(direct!.frame));
  });

  it('is the host where nothing takes it, and says that it came out of a tunnel', () => {
    const made = director();
    const inner = udp([ENDS[inside].client, 1], [ENDS[inside].vip, 53]);
    const [outcome] = made.send(frame(tunnelled(inner, outside, how)), 'cli', 0);
    expect(judged([outcome!])).toEqual(['local decapsulated']);
    expect(toHex(outcome!.frame)).toBe(toHex(serialiseIp(inner)));
  });

  it('stays in its tunnel without the interface for it', () => {
    const { ipip, gre } = INTERFACE[outside];
    const made = director(how.startsWith('gre') ? gre : ipip[inside]);
    expect(judged(made.send(frame(outer()), 'cli', 0))).toEqual(['local local-delivery']);
  });

  it('is dropped where congestion would be lost (RFC 6040 §4.2), else marked', () => {
    const made = director();
    const marked = (tos: number) => {
      const whole = outer({ tos });
      return 'hopLimit' in whole ? { ...whole, trafficClass: 3 } : { ...whole, tos: 3 };
    };
    expect(judged(made.send(frame(marked(0)), 'cli', 0))).toEqual(['drop tunnel-ecn']);
    const [outcome] = made.send(frame(marked(2)), 'cli', 0);
    const sent = packetOf(outcome!.frame);
    expect('hopLimit' in sent ? sent.trafficClass : sent.tos).toBe(3);
  });

  it('is malformed when the inner packet is', () => {
    const whole = outer();
    const inner = serialiseIp(request(inside));
    const overhead = whole.payload.length - inner.length;
    const cut = { ...whole, payload: whole.payload.slice(0, overhead + 19) };
    const reasons = judged(director().send(frame(cut as IpPacket), 'cli', 0));
    expect(reasons[0]).toMatch(/^drop tunnel-(malformed|checksum)$/);
  });
});

it.each(['gre csum', 'gue csum'] as const)('a wrong checksum of %s is found', (how) => {
  const whole = tunnelled(request(4), 4, how);
  const payload = whole.payload.slice();
  payload[payload.length - 1]! ^= 1;
  expect(judged(director().send(frame({ ...whole, payload }), 'cli', 0))).toEqual(['drop tunnel-checksum']);
});

it('UDP to another port, or to a service, is no GUE', () => {
  const made = director();
  const whole = tunnelled(request(4), 4, 'gue', { destinationPort: 6081 });
  expect(judged(made.send(frame(whole), 'cli', 0))).toEqual(['local local-delivery']);
  const { own, server } = ENDS[4];
  made.addService({ protocol: 'udp', address: own, port: 6080, scheduler: 'rr' });
  made.addDest({ protocol: 'udp', address: own, port: 6080 }, { address: server, method: 'nat' });
  expect(judged(made.send(frame(tunnelled(request(4), 4, 'gue')), 'cli', 0))).toEqual(['forward nat-in']);
  expect(made.connections(0)).toMatchObject([{ protocol: 'udp' }]);
});

it('one tunnel comes off, not two', () => {
  const twice = tunnelled(tunnelled(request(4), 4, 'ipip'), 4, 'gre');
  expect(judged(director().send(frame(twice), 'cli', 0))).toEqual(['local decapsulated']);
});

it('fragments of a tunnel packet are put together first', () => {
  const made = director();
  const whole = tunnelled(request(4), 4, 'ipip');
  expect(judged(made.send(frame(fragment4(whole, 0, 24, true)), 'cli', 0))).toEqual(['held fragment-held']);
  expect(judged(made.send(frame(fragment4(whole, 24, 99, false)), 'cli', 0))).toEqual(['forward nat-in']);
});

describe('checksums that are only begun', () => {
  const { client, vip, own } = ENDS[4];

  /** TCP with the sum of the pseudo header. */
  const begun = (): IpPacket => {
    const whole = request(4);
    const pseudo = pseudoHeader(whole.source, whole.destination, 6, whole.payload.length);
    const sum = 0xffff - internetChecksum(pseudo);
    const payload = whole.payload.slice();
    payload.set([sum >>> 8, sum & 255], 16);
    return { ...whole, payload };
  };

  /** GUE with the remote checksum option for `start` and `offset` of the inner packet. */
  const remote = (inner: IpPacket, start: number, offset: number): IpPacket => {
    const gue = [2, 4, 0, 1, 0x80, 0, 0, 0, 0, start, 0, offset, ...serialiseIp(inner)];
    const length = gue.length + 8;
    return packet(client, own, 17, Uint8Array.of(1, 1, 6080 >>> 8, 6080 & 255, 0, length, 0, 0, ...gue));
  };

  it('stay so through IPIP and GRE', () => {
    for (const how of ['ipip', 'gre'] as const) {
      const sent = frame(tunnelled(begun(), 4, how));
      const [outcome] = director().send(sent, 'cli', 0, { partialChecksum: true });
      expect(outcome).toMatchObject({ reason: 'nat-in', partialChecksum: true });
    }
  });

  it('of the outer UDP are finished before they are verified', () => {
    const whole = tunnelled(request(4), 4, 'gue csum');
    const pseudo = pseudoHeader(whole.source, whole.destination, 17, whole.payload.length);
    const sum = 0xffff - internetChecksum(pseudo);
    const payload = whole.payload.slice();
    payload.set([sum >>> 8, sum & 255], 6);
    const sent = frame({ ...whole, payload });
    expect(director().send(sent, 'cli', 0, { partialChecksum: true })).toMatchObject([
      { reason: 'nat-in', partialChecksum: false },
    ]);
  });

  it('by remote offload stay begun', () => {
    const [outcome] = director().send(frame(remote(begun(), 20, 36)), 'cli', 0);
    expect(outcome).toMatchObject({ reason: 'nat-in', partialChecksum: true });
  });

  it('by remote offload in front of what they cover are looked at once it is known who is next on the way', () => {
    const made = director();
    const key = { protocol: 'udp', address: vip, port: 53 } as const;
    made.addService({ ...key, scheduler: 'rr' });
    made.addDest(key, { address: ENDS[4].server, method: 'tun' });
    const sent = frame(remote(udp([client, 1], [vip, 53], 8), 28, 20));
    expect(judged(made.send(sent, 'cli', 0))).toEqual(['drop tunnel-malformed']);
    made.setNetwork({ ...NETWORK, neighbours: [] });
    expect(judged(made.send(sent, 'cli', 0))).toEqual(['drop no-neighbour']);
  });

  it('by remote offload of something else are the host’s to finish, too', () => {
    const inner = udp([client, 1], [vip, 53], 8);
    const [outcome] = director().send(frame(remote(inner, 28, 28)), 'cli', 0);
    expect(outcome).toMatchObject({ reason: 'decapsulated', partialChecksum: true });
    expect(outcome!.frame).toEqual(serialiseIp(inner));
  });
});

it('the mark of a packet stays with what it carries', () => {
  const made = director();
  made.addService({ fwmark: 7, scheduler: 'rr' });
  made.addDest({ fwmark: 7 }, { address: ENDS[4].server, method: 'dr' });
  const inner = udp([ENDS[4].client, 1], ['192.0.2.1', 53]);
  const [outcome] = made.send(frame(tunnelled(inner, 4, 'ipip')), 'cli', 0, { mark: 7 });
  expect(judged([outcome!])).toEqual(['forward direct-route']);
});
