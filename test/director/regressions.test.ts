/**
 * What comparing core and reference has brought to light, each as the shortest life that shows it.
 */
import { describe, expect, it } from 'vitest';
import type { Director } from '../../src/director.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { NetworkConfig, SysctlConfig } from '../../src/types.js';
import { BINARIES, type Binary, createDirector } from '../support/core.js';
import { fragmentsOf } from '../support/fragments.js';
import {
  CLIENT,
  CLIENT6,
  fromClient,
  fromServer,
  judged,
  lab,
  MAC,
  NAT,
  NETWORK,
  networkWith,
  onV6,
  request,
  SERVERS,
  SERVERS6,
  TCP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, checksum, counting, fixIpv4, hex, icmp, ipv4, ipv6, join, SYN, tcp, toHex } from '../support/packets.js';

const reply = (words = {}): Uint8Array =>
  fromServer(tcp({ source: SERVERS[0], destination: CLIENT, sport: 8080, dport: 40_000, flags: SYN | ACK, ...words }));

/** Core and reference in the lab, with one NAT dest. */
function both(
  binary: Binary,
  network: NetworkConfig = NETWORK,
  sysctl: SysctlConfig = {},
): (Director | ReferenceDirector)[] {
  const reference = new ReferenceDirector({ network, sysctl });
  reference.addService({ ...TCP_KEY, scheduler: 'rr' });
  reference.addDest(TCP_KEY, NAT);
  return [lab([NAT], { binary, network, sysctl }), reference];
}

const reasonsOf = (director: Director | ReferenceDirector, frame: Uint8Array, by: string): string =>
  director
    .send(frame, by, 0)
    .map(({ verdict, reason }) => `${verdict} ${reason}`)
    .join(', ');

describe.each(BINARIES)('%s', (binary) => {
  it('replies are not forwarded once ip_forward is off, even if the client has spoken since', () => {
    for (const director of both(binary)) {
      director.send(fromClient(request('tcp')), 'cli', 0);
      expect(reasonsOf(director, reply(), 'srv')).toBe('forward nat-out');
      director.setSysctl({ ip_forward: 0 });
      director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0);
      expect(reasonsOf(director, reply(), 'srv')).toBe('pass not-forwarding');
    }
  });

  it('a reply from an address of the director’s own is a martian, connection or not', () => {
    const director = lab([{ ...NAT, address: '10.1.0.1' }], { binary });
    expect(judged(director.send(fromClient(request('tcp')), 'cli', 0))).toEqual(['local local-dest']);
    expect(judged(director.send(reply({ source: '10.1.0.1' }), 'srv', 0))).toEqual(['drop martian-source']);
  });

  it('Linux asks where a packet’s source is when it has a way for it: without one that is no martian', () => {
    const packet = (destination: string, options = ''): Uint8Array =>
      fromServer(ipv4({ source: VIP, destination, protocol: 132, ttl: 2, options: hex(options) }, new Uint8Array(12)));
    // A source route that was gone to its end, and an option without a length behind it: the error goes the way back.
    const cut = '830b0c0a0000030a00000207';
    for (const director of both(binary)) {
      expect(reasonsOf(director, packet('198.51.100.7'), 'srv')).toBe('drop no-route');
      expect(reasonsOf(director, packet('198.51.100.7', cut), 'srv')).toBe(
        'drop ipv4-option, forward parameter-problem',
      );
      for (const destination of [CLIENT, '10.0.0.255', '255.255.255.255', '10.0.0.1']) {
        expect(reasonsOf(director, packet(destination, cut), 'srv'), destination).toBe('drop martian-source');
      }
      director.setSysctl({ ip_forward: 0 });
      expect(reasonsOf(director, packet(CLIENT), 'srv')).toBe('pass not-forwarding');
      expect(reasonsOf(director, packet('10.0.0.1'), 'srv')).toBe('drop martian-source');
    }
  });

  it('ICMPv6 that extension headers only name, as they end behind the packet, is dropped where there is a service', () => {
    const cut = (next: number, destination: string) =>
      fromServer(ipv6({ source: SERVERS6[0], destination, protocol: 43 }, Uint8Array.of(next, 12, 4, 0, 0, 0, 0, 0)));
    const key = onV6(TCP_KEY);
    for (const director of both(binary)) {
      expect(reasonsOf(director, cut(58, CLIENT6), 'srv')).toBe('forward routed');
      director.addService({ ...key, scheduler: 'rr' });
      expect(reasonsOf(director, cut(58, CLIENT6), 'srv')).toBe('drop transport-truncated');
      expect(reasonsOf(director, cut(58, VIP6), 'srv')).toBe('drop transport-truncated');
      expect(reasonsOf(director, cut(6, CLIENT6), 'srv')).toBe('forward routed');
    }
  });

  it('a wrong checksum inside a tunnel is a wrong checksum, and is not repaired', () => {
    const inner = request('tcp', { tos: 2 });
    inner[10] = (inner[10] as number) ^ 0xff;
    for (const director of both(binary)) {
      for (const tos of [0, 3]) {
        const frame = fromClient(ipv4({ source: CLIENT, destination: '10.0.0.1', protocol: 4, tos }, inner));
        expect(reasonsOf(director, frame, 'cli')).toBe('drop ipv4-checksum');
      }
    }
  });

  it('errors are cut to the MTU of the way back when that is below 576', () => {
    const network = networkWith({ cli: { mtu: 100 } });
    for (const director of both(binary, network)) {
      const frame = fromClient(request('tcp', { ttl: 1, payload: new Uint8Array(50) }));
      const [, error] = director.send(frame, 'cli', 0);
      expect(error?.frame.length).toBe(14 + 100);
    }
  });

  it('a packet of 65515 bytes fits into a tunnel over an MTU of 65536', () => {
    const network = {
      interfaces: [
        { name: 'cli', kind: 'raw', mtu: 65_536, addresses: ['10.0.0.100/24'] },
        { name: 'srv', kind: 'raw', mtu: 65_536, addresses: ['10.1.0.1/24'] },
      ],
    } as const;
    const key = { protocol: 'udp', address: '10.0.0.100', port: 53 } as const;
    const core = createDirector(binary, { network, plan: { connections: 4, arenaBytes: 1 << 18 } });
    for (const director of [core, new ReferenceDirector({ network })]) {
      director.addService({ ...key, scheduler: 'rr' });
      director.addDest(key, { address: SERVERS[0], method: 'tun' });
      const packet = request('udp', { payload: new Uint8Array(65_515 - 28) });
      expect(director.send(packet, 'cli', 0).map(({ frame }) => frame.length)).toEqual([65_535]);
    }
  });

  it('nat_icmp_send tells a server even about half a TCP header', () => {
    for (const director of both(binary, NETWORK, { nat_icmp_send: 1 })) {
      const cut = ipv4({ source: SERVERS[0], destination: CLIENT, protocol: 6 }, hex('1f90 9c40 00000000'));
      expect(reasonsOf(director, fromServer(cut), 'srv')).toBe('drop no-connection, forward port-unreachable');
    }
  });

  it('no error is sent about ICMP of a type that nobody knows', () => {
    for (const director of both(binary)) {
      for (const [type, expected] of [
        [30, 'drop ttl-exceeded'],
        [8, 'drop ttl-exceeded, forward time-exceeded'],
      ] as const) {
        const frame = fromClient(icmp({ source: CLIENT, destination: SERVERS[1], ttl: 1 }, type));
        expect(reasonsOf(director, frame, 'cli')).toBe(expected);
      }
    }
  });

  it('from port 20 and out of a tunnel is from port 20', () => {
    const inner = request('tcp', { sport: 20 });
    for (const director of both(binary)) {
      const frame = fromClient(ipv4({ source: CLIENT, destination: '10.0.0.1', protocol: 4 }, inner));
      expect(reasonsOf(director, frame, 'cli')).toBe('local ftp-data');
    }
  });

  it('half a TCP header on a NAT connection counts and keeps it alive, but goes nowhere', () => {
    for (const director of both(binary)) {
      director.send(fromClient(request('tcp')), 'cli', 0);
      const cut = ipv4({ source: CLIENT, destination: '10.0.0.100', protocol: 6 }, request('tcp').subarray(20, 30));
      expect(director.send(fromClient(cut), 'cli', 5000)[0]?.reason).toBe('transport-truncated');
      expect(director.connections(5000)).toMatchObject([{ inPackets: 2, expires: 60, state: 'SYN_RECV' }]);
    }
  });

  it('half a UDP header still takes over a timeout that was changed, half a TCP header does not', () => {
    const cut = (protocol: 6 | 17): Uint8Array => {
      const packet = request(protocol === 6 ? 'tcp' : 'udp');
      return fromClient(ipv4({ source: CLIENT, destination: '10.0.0.100', protocol }, packet.subarray(20, 24)));
    };
    const director = lab([{ address: SERVERS[0], method: 'dr' }], { binary });
    director.send(fromClient(request('udp')), 'cli', 0);
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.send(fromClient(request('tcp', { flags: ACK })), 'cli', 0);
    director.setTimeouts({ udp: 5, tcp: 7 });
    expect(director.send(cut(17), 'cli', 0)[0]?.reason).toBe('direct-route');
    expect(director.send(cut(6), 'cli', 0)[0]?.reason).toBe('direct-route');
    const expires = Object.fromEntries(director.connections(0).map((each) => [each.protocol, each.expires]));
    expect(expires).toEqual({ udp: 5, tcp: 900 });
  });

  it('an error about a routed packet quotes the options as the host filled them in', () => {
    const options = hex('070704 00000000 00');
    const frame = fromClient(tcp({ source: CLIENT, destination: SERVERS[1], sport: 1, dport: 2, ttl: 1, options }));
    for (const director of both(binary)) {
      const [, error] = director.send(frame, 'cli', 0);
      const quote = error?.frame.subarray(14 + 36) as Uint8Array;
      expect(toHex(quote.subarray(20, 28))).toBe('0707080a00000100');
      // The checksum is set right only in what is sent on.
      expect(toHex(quote.subarray(0, 20))).toBe(toHex(frame.subarray(14, 34)));
    }
  });

  it('a packet that is too big is quoted with the checksum for the options that came, and one hop less', () => {
    const network = networkWith({ srv: { mtu: 300 } });
    const frame = fromClient(request('tcp', { df: true, options: hex('00ffffff'), payload: new Uint8Array(400) }));
    for (const director of both(binary, network)) {
      const [, error] = director.send(frame, 'cli', 0);
      const quote = error?.frame.subarray(14 + 28) as Uint8Array;
      const sent = frame.slice(14, 14 + 24);
      sent[8] = 63;
      sent.set(fixIpv4(sent.slice()).subarray(10, 12), 10);
      sent.fill(0, 20);
      expect(toHex(quote.subarray(0, 24))).toBe(toHex(sent));
    }
  });

  it('a datagram is quoted with the checksum that it got when it was put together', () => {
    const packet = request('tcp', { ttl: 1, options: hex('00ffffff'), payload: counting(40) });
    for (const director of both(binary)) {
      const [first, last] = fragmentsOf(packet, [24]).map((fragment) => fromClient(fragment));
      expect(reasonsOf(director, first as Uint8Array, 'cli')).toBe('held fragment-held');
      const [, error] = director.send(last as Uint8Array, 'cli', 0);
      const quote = error?.frame.subarray(14 + 28) as Uint8Array;
      expect(checksum(quote.subarray(0, 24))).toBe(0);
    }
  });

  it('a timestamp’s address is that on the way back, a route’s the one that a packet leaves from', () => {
    const options = hex('440c0501 00000000 00000000 070704 00000000 00');
    for (const director of both(binary)) {
      director.send(fromClient(request('tcp')), 'cli', 0);
      const recorded = (frame: Uint8Array): string => {
        const [{ frame: left } = {}] = director.send(frame, 'srv', 0);
        return toHex(left?.subarray(34, 34 + 20) as Uint8Array);
      };
      expect(recorded(reply({ options }))).toBe('440c0d010a010001000000000707080a00006400');
      const routed = fromServer(tcp({ source: SERVERS[1], destination: CLIENT, sport: 1, dport: 2, options }));
      expect(recorded(routed)).toBe('440c0d010a010001000000000707080a00000100');
    }
  });

  it('an error that passes through, about a reply, records the address on the way back', () => {
    const options = hex('440c0501 00000000 00000000 070704 00000000 00');
    for (const director of both(binary)) {
      director.send(fromClient(request('tcp')), 'cli', 0);
      const quoted = tcp({ source: VIP, destination: CLIENT, sport: 80, dport: 40_000 });
      const error = icmp({ source: CLIENT, destination: SERVERS[1], options }, 3, 1, quoted);
      const [outcome] = director.send(fromClient(error), 'cli', 0);
      expect(outcome?.reason).toBe('icmp-in');
      expect(toHex(outcome?.frame.subarray(34, 54) as Uint8Array)).toBe('440c0d010a000001000000000707080a00000100');
    }
  });

  it('what stands behind the end of the options is cleared when the packet is sent on', () => {
    const frame = fromClient(request('tcp', { options: hex('00ffffff') }));
    for (const director of both(binary)) {
      const [outcome] = director.send(frame, 'cli', 0);
      expect(toHex(outcome?.frame.subarray(34, 38) as Uint8Array)).toBe('00000000');
    }
  });

  it('a host that has no address yet calls everybody', () => {
    for (const director of both(binary)) {
      const packet = (source: string, destination: string): Uint8Array =>
        fromClient(ipv4({ source, destination, protocol: 17 }, new Uint8Array(8)));
      expect(reasonsOf(director, packet('0.0.0.0', '255.255.255.255'), 'cli')).toBe('local local-delivery');
      expect(reasonsOf(director, packet('0.0.0.0', '10.0.0.100'), 'cli')).toBe('drop martian-source');
      expect(reasonsOf(director, packet('0.0.0.0', '224.0.0.1'), 'cli')).toBe('drop martian-source');
    }
  });

  it('an address implies its subnet, and what is given wins', () => {
    const gateway: NetworkConfig = {
      ...NETWORK,
      routes: [{ dst: '10.1.0.0/24', dev: 'srv', gateway: SERVERS[2], metric: 900 }],
    };
    for (const [network, last] of [
      [NETWORK, 0x11],
      [gateway, 0x13],
    ] as const) {
      for (const director of both(binary, network)) {
        expect(director.send(fromClient(request('tcp')), 'cli', 0)[0]?.frame[5]).toBe(last);
      }
    }
  });

  it('the options of a packet for a server here are left to the host', () => {
    const director = lab([{ ...NAT, address: '10.1.0.1' }], { binary });
    const options = hex('070704 00000000 00');
    const [outcome] = director.send(fromClient(request('tcp', { options })), 'cli', 0);
    expect(outcome?.reason).toBe('local-dest');
    expect(toHex(outcome?.frame.subarray(34, 42) as Uint8Array)).toBe(toHex(options));
    const packet = outcome?.frame.slice(14) as Uint8Array;
    expect(toHex(fixIpv4(packet.slice()))).toBe(toHex(packet));
    expect(toHex(join(packet.subarray(16, 20)))).toBe('0a010001');
    expect(outcome?.frame[0]).toBe(Number.parseInt(MAC.cli.slice(0, 2), 16));
  });
});
