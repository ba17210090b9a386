import { describe, expect, it } from 'vitest';
import {
  IP_FLAG,
  type Ipv4Packet,
  parseAddress,
  parseEthernet,
  parseIcmp,
  parseIpv4,
  ReferenceDirector,
  type ReferenceOutcome,
  serialiseIpv4,
} from '../../src/reference/index.js';
import {
  ACK,
  CLIENT,
  director,
  frame,
  judged,
  NETWORK,
  networkWith,
  SERVER,
  SYN,
  TCP_SERVICE,
  tcp,
  UDP_SERVICE,
  udp,
  VIP,
} from './builders.js';
import { toHex } from './support.js';

const DF = IP_FLAG.dontFragment;
const withMtu = (mtu: number) => networkWith({ ...NETWORK.interfaces[2]!, mtu });
const sent = (outcome: ReferenceOutcome | undefined): Ipv4Packet => parseIpv4(parseEthernet(outcome!.frame).payload);
const ipHex = (outcome: ReferenceOutcome | undefined): string => toHex(outcome!.frame.slice(14));

describe('NAT, DR and TUN', () => {
  const packet = tcp(SYN, [40000, 80], { tos: 0xbb, flags: DF });

  it('NAT translates, one hop further', () => {
    const [outcome] = director('nat').send(frame(packet), 'cli', 0);
    const expected = tcp(SYN, [40000, 8080], { tos: 0xbb, flags: DF, ttl: 63, destination: SERVER });
    expect(ipHex(outcome)).toBe(toHex(serialiseIpv4(expected)));
  });

  it('DR changes the TTL alone', () => {
    const [outcome] = director('dr').send(frame(packet), 'cli', 0);
    expect(ipHex(outcome)).toBe(toHex(serialiseIpv4({ ...packet, ttl: 63 })));
  });

  it('TUN puts a header in front', () => {
    const [outcome] = director('tun').send(frame(packet), 'cli', 0);
    expect(ipHex(outcome)).toBe(
      `45ba003c000040003f0425040a0100010a01000b`.replace('2504', sent(outcome).checksum.toString(16).padStart(4, '0')) +
        toHex(serialiseIpv4({ ...packet, ttl: 63 })),
    );
    expect(sent(outcome)).toMatchObject({ source: parseAddress('10.1.0.1'), ttl: 63, tos: 0xba, flags: DF });
  });

  it('TUN without DF counts its identification up', () => {
    const made = director('tun', { ipId: 0xffff });
    const ids = [1, 2].map((port) => sent(made.send(frame(udp([port, 53])), 'cli', 0)[0]).identification);
    expect(ids).toEqual([0xffff, 0]);
    expect(sent(made.send(frame(udp([3, 53], { flags: DF })), 'cli', 0)[0]).identification).toBe(0);
    expect(sent(made.send(frame(udp([4, 53])), 'cli', 0)[0]).identification).toBe(1);
  });

  it('TUN takes the first address of the interface when the route names none', () => {
    const routes = [{ dst: '10.1.0.0/24', dev: 'srv' }];
    const [outcome] = director('tun', { network: { ...NETWORK, routes } }).send(frame(packet), 'cli', 0);
    expect(sent(outcome).source).toBe(parseAddress('10.1.0.1'));
  });

  it('record route holds the VIP, in and out', () => {
    const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);
    const made = director('nat');
    const [request] = made.send(frame(udp([40000, 53], { options })), 'cli', 0);
    expect(toHex(sent(request).options)).toBe('0707080a00006400');
    const reply = udp([5353, 40000], { source: SERVER, destination: CLIENT, options });
    expect(toHex(sent(made.send(frame(reply, 'srv'), 'srv', 0)[0]).options)).toBe('0707080a00006400');
    const stray = udp([9999, 40000], { source: SERVER, destination: CLIENT, options });
    expect(toHex(sent(made.send(frame(stray, 'srv'), 'srv', 0)[0]).options)).toBe('0707080a00000100');
  });
});

it('a timestamp that asks for a subnet is filled in', () => {
  const asks = (address: string) => {
    const options = Uint8Array.of(68, 12, 5, 3, ...address.split('.').map(Number), 0, 0, 0, 0);
    const [outcome] = director('dr').send(frame(udp([40000, 53], { options })), 'cli', 0x1234567);
    return toHex(sent(outcome).options.slice(8));
  };
  expect(asks('10.1.0.255')).toBe('01234567');
  expect(asks('10.1.0.1')).toBe('01234567');
  expect(asks('10.1.0.254')).toBe('00000000');
});

describe('the last hop', () => {
  it.each(['nat', 'dr', 'tun'] as const)('%s: TTL 1 and 0 end here, with an error from the VIP', (method) => {
    const made = director(method);
    for (const ttl of [1, 0]) {
      const packet = udp([40000, 53], { ttl, tos: 0xb9, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) });
      const outcomes = made.send(frame(packet), 'cli', 0);
      expect(judged(outcomes)).toEqual(['drop ttl-exceeded', 'forward time-exceeded']);
      expect(outcomes[1]).toMatchObject({ outInterface: 'cli', made: true });
      const error = sent(outcomes[1]);
      expect(error).toMatchObject({
        tos: 0xd8,
        ttl: 64,
        flags: 0,
        source: parseAddress(VIP),
        destination: packet.source,
      });
      const message = parseIcmp(error.payload);
      expect(message).toMatchObject({ type: 11, code: 0, rest: 0 });
      const filled = { ...packet, options: Uint8Array.of(7, 7, 8, 10, 0, 0, 100, 0) };
      // The header checksum is still that of the options which came.
      const came = serialiseIpv4(packet);
      expect(toHex(message.payload)).toBe(toHex(serialiseIpv4(filled, (came[10]! << 8) | came[11]!)));
    }
    expect(made.connections(0)).toMatchObject([{ inPackets: 2 }]);
  });
});

describe('packets that do not fit', () => {
  const big = (size: number, flags: number) => udp([40000, 53], { flags }, size - 28);

  it.each([
    ['nat', 1400, 1400, 'nat-in'],
    ['dr', 1400, 1400, 'direct-route'],
    ['tun', 1380, 1380, 'tunnel-ipip'],
  ] as const)('%s: the limit is the MTU, inside the tunnel 20 less', (method, fits, mtu, reason) => {
    const made = director(method, { network: withMtu(1400) });
    expect(made.send(frame(big(fits, DF)), 'cli', 0)[0]!.verdict).toBe('forward');
    expect(made.send(frame(big(fits, 0)), 'cli', 0)[0]!.verdict).toBe('forward');
    expect(judged(made.send(frame(big(fits + 1, 0)), 'cli', 0))).toEqual([`forward ${reason}`, 'forward fragment']);
    const outcomes = made.send(frame(big(fits + 1, DF)), 'cli', 0);
    expect(judged(outcomes)).toEqual(['drop too-big', 'forward fragmentation-needed']);
    const error = sent(outcomes[1]);
    const message = parseIcmp(error.payload);
    expect(message).toMatchObject({ type: 3, code: 4, rest: mtu });
    const quoted = serialiseIpv4({ ...big(fits + 1, DF), ttl: 63 }).slice(0, 548);
    expect(toHex(message.payload)).toBe(toHex(quoted));
  });

  it('an interface carries 1500 bytes by default', () => {
    const made = director('dr');
    expect(made.send(frame(big(1500, 0)), 'cli', 0)[0]!.verdict).toBe('forward');
    expect(judged(made.send(frame(big(1501, 0)), 'cli', 0))).toEqual(['forward direct-route', 'forward fragment']);
  });

  it('no packet is longer than its total length can say', () => {
    const network = networkWith({ ...NETWORK.interfaces[2]!, kind: 'raw', mtu: 65536 });
    const made = director('tun', { network });
    expect(judged(made.send(frame(big(65515, 0)), 'cli', 0))).toEqual(['forward tunnel-ipip']);
    expect(judged(made.send(frame(big(65516, 0)), 'cli', 0))).toEqual(['drop too-big']);
  });

  it('with pmtu_disc off the tunnel is fragmented, not the client asked', () => {
    const made = director('tun', { network: withMtu(1400), sysctl: { pmtu_disc: 0 } });
    expect(judged(made.send(frame(big(1381, DF)), 'cli', 0))).toEqual(['forward tunnel-ipip', 'forward fragment']);
    const [outcome] = made.send(frame(big(1380, DF)), 'cli', 0);
    expect(sent(outcome).flags).toBe(0);
  });

  it('a tunnel of less than 68 bytes carries nothing', () => {
    const packet = frame(udp([40000, 53], {}, 0));
    expect(judged(director('tun', { network: withMtu(87) }).send(packet, 'cli', 0))).toEqual(['drop tunnel-mtu']);
    expect(judged(director('tun', { network: withMtu(88) }).send(packet, 'cli', 0))).toEqual(['forward tunnel-ipip']);
  });

  it('errors are cut to the MTU of a way back that is narrower than 576', () => {
    const network = networkWith({ ...NETWORK.interfaces[1]!, mtu: 100 }, { ...NETWORK.interfaces[2]!, mtu: 200 });
    const outcomes = director('nat', { network }).send(frame(big(201, DF)), 'cli', 0);
    expect(outcomes[1]!.frame.length).toBe(14 + 100);
  });
});

describe('errors that cannot be sent', () => {
  const SRV = NETWORK.interfaces[2]!;
  const expired = (words = {}) => udp([40000, 53], { ttl: 1, ...words });

  it.each([
    ['no route back', 'ttl-exceeded', expired({ source: '192.0.2.1' }), NETWORK],
    ['no neighbour', 'ttl-exceeded', expired({ source: '10.0.0.77' }), NETWORK],
    ['to a subnet', 'ttl-exceeded', expired({ source: '10.0.0.255' }), NETWORK],
    ['the way back is down', 'no-route', expired({ source: '10.1.0.11' }), networkWith({ ...SRV, up: false })],
  ])('%s', (_, reason, packet, network) => {
    const made = director('nat', { network });
    expect(judged(made.send(frame(packet), 'cli', 0))).toEqual([`drop ${reason}`]);
  });

  it('to the director itself', () => {
    const network = networkWith({ name: 'cli', kind: 'raw', addresses: NETWORK.interfaces[1]!.addresses! });
    const made = director('nat', { network: { ...network, neighbours: [] } });
    expect(judged(made.send(serialiseIpv4(expired({ source: CLIENT })), 'lo', 0))[1]).toBe('forward time-exceeded');
    expect(judged(made.send(serialiseIpv4(expired({ source: VIP })), 'lo', 0))).toEqual(['drop ttl-exceeded']);
  });

  it('no route to the server: host unreachable from the VIP', () => {
    const network = { ...networkWith({ ...SRV, addresses: ['10.1.0.1/32'] }), routes: NETWORK.routes!.slice(0, 1) };
    const outcomes = director('nat', { network }).send(frame(expired()), 'cli', 0);
    expect(judged(outcomes)).toEqual(['drop no-route', 'forward host-unreachable']);
    expect(parseIcmp(sent(outcomes[1]).payload)).toMatchObject({ type: 3, code: 1 });
  });
});

describe('a server that is the director itself', () => {
  function here(method: 'nat' | 'dr', address = '10.0.0.1') {
    const made = new ReferenceDirector({ network: NETWORK });
    made.addService(UDP_SERVICE);
    made.addDest(UDP_SERVICE, { address, port: 5353, method });
    return made;
  }
  const packet = udp([40000, 53], { ttl: 1 });

  it('NAT: translated, on the spot', () => {
    const bytes = frame(packet, 'cli', 0xe000);
    const [outcome] = here('nat').send(Uint8Array.from([...bytes, 0, 0]), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'local', reason: 'local-dest', outInterface: undefined });
    const expected = udp([40000, 5353], { ttl: 1, destination: '10.0.0.1' });
    expect(toHex(outcome!.frame)).toBe(toHex(bytes.slice(0, 18)) + toHex(serialiseIpv4(expected)));
  });

  it('DR: untouched', () => {
    const [outcome] = here('dr').send(frame(packet), 'cli', 0);
    expect(outcome).toMatchObject({ verdict: 'local', reason: 'local-dest' });
    expect(toHex(outcome!.frame)).toBe(toHex(frame(packet)));
  });

  it('not its loopback address from outside', () => {
    expect(judged(here('nat', '127.0.0.1').send(frame(packet), 'cli', 0))).toEqual(['drop local-boundary']);
    expect(judged(here('nat', '127.0.0.1').send(serialiseIpv4(packet), 'lo', 0))).toEqual(['local local-dest']);
    expect(judged(here('dr', '127.0.0.1').send(frame(packet), 'cli', 0))).toEqual(['local local-dest']);
  });
});

describe('a client on the loopback of the director', () => {
  const loopback = (words = {}) => serialiseIpv4(udp([40000, 53], { source: '127.0.0.9', ...words }));

  it.each(['nat', 'dr', 'tun'] as const)('%s: gets no further than the director', (method) => {
    const made = director(method, { network: { ...NETWORK, neighbours: [] } });
    expect(judged(made.send(loopback(), 'lo', 0))).toEqual(['drop local-boundary']);
    expect(judged(made.send(loopback({ ttl: 1 }), 'lo', 0))).toEqual(['drop local-boundary']);
    expect(made.connections(0)).toMatchObject([{ inPackets: 2 }]);
  });

  it('hears of no route first', () => {
    const network = { ...networkWith({ ...NETWORK.interfaces[2]!, addresses: [] }), routes: [] };
    expect(judged(director('nat', { network }).send(loopback(), 'lo', 0))).toEqual(['drop no-route']);
  });

  it('reaches a server that is the director', () => {
    const made = new ReferenceDirector({ network: NETWORK });
    made.addService(UDP_SERVICE);
    made.addDest(UDP_SERVICE, { address: '10.0.0.1', port: 5353, method: 'nat' });
    expect(judged(made.send(loopback(), 'lo', 0))).toEqual(['local local-dest']);
  });
});

it('the next packet of a connection goes the way of the first', () => {
  const made = director('nat');
  made.addDest(TCP_SERVICE, { address: '10.1.0.12', port: 8080, method: 'tun' });
  const ways = [1, 2, 1, 2].map((port) => made.send(frame(tcp(SYN, [port, 80])), 'cli', 0)[0]!.reason);
  expect(ways).toEqual(['tunnel-ipip', 'nat-in', 'tunnel-ipip', 'nat-in']);
  made.editDest(TCP_SERVICE, { address: '10.1.0.12', method: 'dr' });
  expect(made.send(frame(tcp(ACK, [1, 80])), 'cli', 0)[0]!.reason).toBe('tunnel-ipip');
  expect(made.connections(0)[0]).toMatchObject({ method: 'tun', destAddress: '10.1.0.12', destPort: 80 });
});
