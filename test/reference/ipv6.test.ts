/** IPv6 as the host and IPVS treat it; what is dropped, passed and answered was asked of Linux 6.1. */
import { describe, expect, it } from 'vitest';
import { isIpv6, parseAnyAddress, parseIcmp, serialiseIp } from '../../src/reference/index.js';
import { ACK, judged, RST, SYN } from './builders.js';
import {
  checksumIsRight,
  ENDS,
  frame,
  icmpError,
  NETWORK,
  packet,
  packetOf,
  plainDirector,
  tcp,
  udp,
} from './builders6.js';
import { toHex } from './support.js';

const { client, vip, own, server, far } = ENDS[6];

const SERVICES = [
  { port: 80, dest: { address: server, port: 8080, method: 'nat' } },
  { port: 81, dest: undefined },
  { port: 82, dest: { address: '2001:db8::5', method: 'nat' } },
  { port: 83, dest: { address: own, method: 'nat' } },
  { port: 84, dest: { address: '::1', method: 'nat' } },
  { port: 85, dest: { address: own, method: 'tun' } },
  { port: 86, dest: { address: server, method: 'dr' } },
  { port: 87, dest: { address: server, method: 'tun' } },
  { port: 88, dest: { address: ENDS[4].server, method: 'tun' } },
] as const;

function director() {
  const made = plainDirector();
  for (const { port, dest } of SERVICES) {
    const key = { protocol: 'tcp', address: 'FD00:0::100', port } as const;
    made.addService({ ...key, scheduler: 'rr' });
    if (dest !== undefined) made.addDest(key, dest);
  }
  return made;
}

/** Hop-by-hop options of 8 bytes in front of UDP to a server, or of TCP to the VIP. */
const withOptions = (to: string, ...options: number[]) => {
  const inner = to === vip ? tcp([client, 7], [to, 80], SYN) : udp([client, 7], [to, 53]);
  const next = to === vip ? 6 : 17;
  return packet(client, to, 0, Uint8Array.from([next, 0, ...options, ...inner.payload]));
};

describe('what becomes of a packet', () => {
  const made = director();

  it.each([
    // Nobody looks whether a source is our own.
    [['forward routed'], udp([vip, 1], [server, 2])],
    [['forward nat-in'], tcp([vip, 5], [vip, 80], SYN)],
    [['drop martian-source'], udp(['::', 1], [server, 2])],
    [['drop martian-source'], udp(['fe80::1', 1], [server, 2])],
    [['forward routed'], udp(['::', 1], [far, 2])],
    [['forward nat-in'], tcp(['::', 5], [vip, 80], SYN)],
    [['forward nat-in'], tcp(['fe80::1', 5], [vip, 80], SYN)],
    [['drop martian-source'], tcp(['ff02::1', 5], [vip, 80], SYN)],
    [['drop martian-source'], tcp(['::1', 5], [vip, 80], SYN)],
    [['drop martian-destination'], udp([client, 1], ['::1', 2])],
    [['drop martian-destination'], udp([client, 1], ['ff01::1', 2])],
    [['drop martian-destination'], udp([client, 1], ['ff00::1', 2])],
    [['local local-delivery'], udp([client, 1], ['ff02::1', 2])],
    [['forward routed'], udp([client, 1], [far, 2])],
    [['drop no-route', 'forward net-unreachable'], udp([client, 1], ['2001:db8::1', 2])],
    [['drop ttl-exceeded', 'forward time-exceeded'], udp([client, 1], [server, 2], 5, { ttl: 1 })],
    [['drop ttl-exceeded', 'forward time-exceeded'], tcp([client, 1], [vip, 80], SYN, 0, { ttl: 0 })],
    [['drop no-dest', 'forward port-unreachable'], tcp([client, 1], [vip, 81], SYN)],
    [['drop no-route', 'forward host-unreachable'], tcp([client, 1], [vip, 82], SYN)],
    [['local local-dest'], tcp([client, 1], [vip, 83], SYN)],
    [['drop local-boundary'], tcp([client, 1], [vip, 84], SYN)],
    [['local local-dest'], tcp([client, 1], [vip, 85], SYN)],
    [['local not-opening'], tcp([client, 2], [vip, 80], ACK)],
    [['local not-opening'], tcp([client, 2], [vip, 80], SYN | RST)],
    [['local ftp-data'], tcp([client, 20], [vip, 80], SYN)],
    [['local local-delivery'], udp([client, 2], [vip, 80])],
    [['drop transport-truncated'], packet(client, vip, 6, new Uint8Array(19))],
    [['local local-delivery'], packet(client, vip, 59, new Uint8Array(0))],
    // An extension header cut short is the stack's business, or the next router's.
    [['local local-delivery'], packet(client, vip, 60, Uint8Array.of(6, 1, 0, 0))],
    [['forward routed'], packet(client, server, 60, Uint8Array.of(6, 1, 0, 0))],
    [['drop ipv6-payload-length'], packet(client, vip, 0, new Uint8Array(0))],
    [['drop ipv6-truncated'], packet(client, vip, 0, Uint8Array.of(6))],
    [['forward nat-in'], withOptions(vip, 1, 4, 0, 0, 0, 0)],
    [['forward nat-in'], withOptions(vip, 5, 2, 0, 0, 1, 0)],
    [['forward routed'], withOptions(server, 0x1e, 4, 0, 0, 0, 0)],
    [['drop ipv6-extension'], withOptions(vip, 0x41, 4, 0, 0, 0, 0)],
    [['drop ipv6-extension', 'forward parameter-problem'], withOptions(vip, 0x81, 4, 0, 0, 0, 0)],
    [['drop ipv6-extension', 'forward parameter-problem'], withOptions(server, 0x81, 4, 0, 0, 0, 0)],
  ])('%j (%#)', (expected, sent) => {
    expect(judged(made.send(frame(sent), 'cli', 0))).toEqual(expected);
  });

  it('drops what is no packet', () => {
    const bytes = frame(tcp([client, 1], [vip, 80], SYN));
    expect(judged(made.send(bytes.subarray(0, 53), 'cli', 0))).toEqual(['drop ipv6-truncated']);
    expect(judged(made.send(bytes.subarray(0, 73), 'cli', 0))).toEqual(['drop ipv6-payload-length']);
    expect(judged(made.send(bytes.with(14, 0x40), 'cli', 0))).toEqual(['drop ipv6-version']);
  });

  it('leaves padding behind', () => {
    const bytes = frame(tcp([client, 1], [vip, 86], SYN));
    const [outcome] = made.send(Uint8Array.from([...bytes, 0, 0]), 'cli', 0);
    expect(outcome?.frame.length).toBe(bytes.length);
  });

  it('stays where forwarding is off, whatever IPv4 does', () => {
    const off = plainDirector({ sysctl: { ipv6_forwarding: 0 } });
    expect(judged(off.send(frame(udp([client, 1], [server, 2])), 'cli', 0))).toEqual(['pass not-forwarding']);
    const v4 = udp([ENDS[4].client, 1], [ENDS[4].server, 2]);
    expect(judged(off.send(frame(v4), 'cli', 0))).toEqual(['forward routed']);
    off.setSysctl({ ipv6_forwarding: 1, ip_forward: 0 });
    expect(judged(off.send(frame(udp([client, 1], [server, 2])), 'cli', 0))).toEqual(['forward routed']);
    expect(judged(off.send(frame(v4), 'cli', 0))).toEqual(['pass not-forwarding']);
  });
});

describe('a connection', () => {
  it('is translated both ways', () => {
    const made = director();
    const [there] = made.send(frame(tcp([client, 1], [vip, 80], SYN)), 'cli', 0);
    expect(judged([there!])).toEqual(['forward nat-in']);
    expect(toHex(there!.frame)).toBe(toHex(toServer(tcp([client, 1], [server, 8080], SYN, 0, { ttl: 63 }))));
    const [back] = made.send(frame(tcp([server, 8080], [client, 1], SYN | ACK), 'srv'), 'srv', 0);
    expect(judged([back!])).toEqual(['forward nat-out']);
    expect(packetOf(back!.frame)).toEqual(tcp([vip, 80], [client, 1], SYN | ACK, 0, { ttl: 63 }));
    expect(made.connections(0)).toEqual([
      {
        protocol: 'tcp',
        clientAddress: 'fd00::2',
        clientPort: 1,
        virtualAddress: 'fd00::100',
        virtualPort: 80,
        destAddress: 'fd00:1::11',
        destPort: 8080,
        method: 'nat',
        state: 'SYN_RECV',
        expires: 60,
        idle: 0,
        inPackets: 1,
      },
    ]);
  });

  it('keeps a wrong checksum wrong, and fills in a missing one of UDP', () => {
    const made = plainDirector();
    made.addService({ protocol: 'udp', address: vip, port: 53, scheduler: 'rr' });
    made.addDest({ protocol: 'udp', address: vip, port: 53 }, { address: server, port: 5353, method: 'nat' });
    const checksum = (value: number | undefined) => {
      const sent = udp([client, 1], [vip, 53]);
      if (value !== undefined) sent.payload.set([value >>> 8, value & 0xff], 6);
      const after = packetOf(made.send(frame(sent), 'cli', 0)[0]!.frame);
      return checksumIsRight(after);
    };
    expect([undefined, 0, 0xdead].map(checksum)).toEqual([true, true, false]);
  });

  it('goes on by DR unchanged but for its hop limit', () => {
    const sent = tcp([client, 1], [vip, 86], SYN, 3, { tos: 0xb9 });
    const [outcome] = director().send(frame(sent), 'cli', 0);
    expect(packetOf(outcome!.frame)).toEqual({ ...sent, hopLimit: 63 });
  });

  it.each([
    [87, 'fd00:1::1', 41],
    [88, '10.1.0.1', 41],
  ])('goes through a tunnel of either family (port %i)', (port, source, protocol) => {
    const sent = tcp([client, 1], [vip, port], SYN, 3, { tos: 0xbb });
    const [outcome] = director().send(frame(sent), 'cli', 0);
    const outer = packetOf(outcome!.frame);
    expect(outcome!.reason).toBe('tunnel-ipip');
    expect(outer.source).toBe(parseAnyAddress(source));
    const { tos, ttl, next } = isIpv6(outer)
      ? { tos: outer.trafficClass, ttl: outer.hopLimit, next: outer.nextHeader }
      : { tos: outer.tos, ttl: outer.ttl, next: outer.protocol };
    expect({ tos, ttl, next }).toEqual({ tos: 0xba, ttl: 63, next: protocol });
    expect(toHex(outer.payload)).toBe(toHex(serialiseIp({ ...sent, hopLimit: 63 } as typeof sent)));
  });

  it('has a table of its own', () => {
    const made = plainDirector({ connections: 1, connections6: 1 });
    const v4 = { fwmark: 1, family: 4 } as const;
    made.addService({ ...v4, scheduler: 'rr' });
    made.addDest(v4, { address: ENDS[4].server, method: 'nat' });
    made.send(frame(udp([ENDS[4].client, 1], [ENDS[4].vip, 53])), 'cli', 0, { mark: 1 });
    made.addService({ fwmark: 1, family: 6, scheduler: 'rr' });
    made.addDest({ fwmark: 1, family: 6 }, { address: server, method: 'nat' });
    const reason = (port: number) => made.send(frame(udp([client, port], [vip, 53])), 'cli', 0, { mark: 1 })[0]!.reason;
    expect([1, 2, 1].map(reason)).toEqual(['nat-in', 'table-full', 'nat-in']);
  });

  it('ends its way where it is too large, and the client hears by how much', () => {
    const made = director();
    const tell = (port: number, size: number) => {
      const sent = tcp([client, 1], [vip, port], SYN, size - 60);
      const [outcome, error] = made.send(frame(sent), 'cli', 0);
      return [outcome!.reason, error && parseIcmp(packetOf(error.frame).payload).rest];
    };
    expect([tell(80, 1500), tell(80, 1501)]).toEqual([
      ['nat-in', undefined],
      ['too-big', 1500],
    ]);
    expect([tell(87, 1460), tell(87, 1461)]).toEqual([
      ['tunnel-ipip', undefined],
      ['too-big', 1460],
    ]);
    expect([tell(88, 1480), tell(88, 1481)]).toEqual([
      ['tunnel-ipip', undefined],
      ['too-big', 1480],
    ]);
  });
});

describe('an answer', () => {
  const answered = (sent: ReturnType<typeof udp>) => {
    const [, error] = director().send(frame(sent), 'cli', 0);
    const whole = packetOf(error!.frame);
    expect(checksumIsRight(whole)).toBe(true);
    return { whole, message: parseIcmp(whole.payload) };
  };

  it('comes from the virtual address and quotes what came', () => {
    const sent = tcp([client, 1], [vip, 80], SYN, 0, { ttl: 1, tos: 0xb8 });
    const { whole, message } = answered(sent);
    expect(whole).toMatchObject({ trafficClass: 0, hopLimit: 64, nextHeader: 58 });
    expect([whole.source, whole.destination]).toEqual([vip, client].map(parseAnyAddress));
    expect(message).toMatchObject({ type: 3, code: 0, rest: 0 });
    expect(toHex(message.payload)).toBe(toHex(serialiseIp(sent)));
  });

  it('is no longer than every link carries', () => {
    const sent = udp([client, 1], ['2001:db8::1', 2], 1400);
    const { whole, message } = answered(sent);
    expect(serialiseIp(whole).length).toBe(1280);
    expect(message).toMatchObject({ type: 1, code: 0 });
  });

  it('about a packet for others comes from the address that suits the source best (RFC 6724)', () => {
    const source = (from: string) => answered(udp([from, 1], [server, 2], 5, { ttl: 1 })).whole.source;
    // 119 bits in common with the virtual address, 64 with the other one, whose subnet ends there.
    expect(source(client)).toBe(parseAnyAddress(vip));
    expect(source('fd00:9::1')).toBe(parseAnyAddress(vip));
  });

  it('points at what was wrong', () => {
    const { message } = answered(withOptions(server, 0x81, 4, 0, 0, 0, 0));
    expect(message).toMatchObject({ type: 4, code: 2, rest: 42 });
  });

  it.each([
    ['an error', packet(client, server, 58, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), { ttl: 1 })],
    ['a message without a type', packet(client, server, 58, new Uint8Array(0), { ttl: 1 })],
    ['a packet from nobody', packet('::', far, 17, new Uint8Array(8), { ttl: 1 })],
    ['a packet from ourselves', udp([own, 1], [server, 2], 5, { ttl: 1 })],
  ])('is not sent about %s', (_, sent) => {
    expect(judged(director().send(frame(sent), 'cli', 0))).toEqual(['drop ttl-exceeded']);
  });

  it('is sent about an echo request', () => {
    const echo = packet(client, server, 58, Uint8Array.of(128, 0, 0, 0, 0, 0, 0, 0), { ttl: 1 });
    expect(judged(director().send(frame(echo), 'cli', 0))).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
  });
});

describe('the source of what the director sends', () => {
  const interfaces = [
    { name: 'lo', addresses: ['::1/128'] },
    { name: 'other', mac: '02:00:00:00:00:09', addresses: ['2001:db8:5::1/64'] },
    { name: 'cli', mac: '02:00:00:00:00:01', addresses: ['fe80::1/64', '2001:db8:7::1/64', '2001:db9::1/64'] },
    { name: 'bare', mac: '02:00:00:00:00:08', addresses: ['fe80::8/64'] },
  ];
  const routes = [{ dst: '::/0', dev: 'cli', gateway: 'fe80::2' }];
  const neighbours = [{ dst: 'fe80::2', dev: 'cli', lladdr: '02:00:00:00:00:02' }];

  it.each([
    ['an address of the interface, though another has more in common', '2001:db8:5:1::9', 'cli', '2001:db8:7::1'],
    ['the one with most in common', '2001:db8:7:9::9', 'cli', '2001:db8:7::1'],
    ['the one with most in common', '2001:db9:1::9', 'cli', '2001:db9::1'],
    ['the first of equals', '3fff::9', 'cli', '2001:db8:7::1'],
    ['another interface rather than another scope', '2001:db8:5:1::9', 'bare', '2001:db8:5::1'],
  ])('%s (%s)', (_, from, device, expected) => {
    const made = plainDirector({ network: { interfaces, routes, neighbours } });
    const sent = frame(udp([from, 1], ['2001:db8:7::77', 2], 5, { ttl: 1 }));
    const mac = interfaces.find(({ name }) => name === device)!.mac!;
    sent.set(mac.split(':').map((byte) => Number.parseInt(byte, 16)));
    const [, error] = made.send(sent, device, 0);
    expect(error && packetOf(error.frame).source).toBe(parseAnyAddress(expected));
  });

  it('nobody answers nobody', () => {
    const made = plainDirector({ network: { interfaces, routes, neighbours } });
    const sent = frame(packet('::', '2001:db8:7::77', 17, new Uint8Array(8), { ttl: 1 }));
    expect(judged(made.send(sent, 'cli', 0))).toEqual(['drop ttl-exceeded']);
  });
});

it('leaves the bytes that it is given alone, be they a Buffer', () => {
  const made = director();
  made.send(frame(tcp([client, 1], [vip, 80], SYN)), 'cli', 0);
  const quoted = serialiseIp(tcp([vip, 80], [client, 1], ACK));
  const bytes = Buffer.from(frame(icmpError([client, vip], [1, 4, 0], quoted)));
  const before = bytes.toString('hex');
  expect(judged(made.send(bytes, 'cli', 0))).toEqual(['forward icmp-in']);
  expect(bytes.toString('hex')).toBe(before);
});

it('takes bare packets by their version', () => {
  const network = { ...NETWORK, interfaces: [...NETWORK.interfaces, { name: 'tun0', kind: 'raw' as const }] };
  const made = plainDirector({ network });
  expect(judged(made.send(serialiseIp(udp([client, 1], [server, 2])), 'tun0', 0))).toEqual(['forward routed']);
  expect(judged(made.send(new Uint8Array(0), 'tun0', 0))).toEqual(['drop ipv4-truncated']);
});

function toServer(whole: ReturnType<typeof tcp>): Uint8Array {
  const bytes = frame(whole, 'srv').slice();
  // The frame that leaves has the MACs the other way round.
  return Uint8Array.from([...bytes.subarray(6, 12), ...bytes.subarray(0, 6), ...bytes.subarray(12)]);
}
