import { describe, expect, it } from 'vitest';
import {
  IP_FLAG,
  type Ipv4Packet,
  parseAddress,
  parseEthernet,
  parseIcmp,
  parseIpv4,
  type ReferenceOutcome,
  serialiseIcmp,
  serialiseIpv4,
} from '../../src/reference/index.js';
import {
  ACK,
  CLIENT,
  director,
  frame,
  ip,
  judged,
  NETWORK,
  networkWith,
  RST,
  SERVER,
  SYN,
  tcp,
  udp,
  VIP,
} from './builders.js';
import { toHex } from './support.js';

const FROM_SERVER = { source: SERVER, destination: CLIENT };
const DF = IP_FLAG.dontFragment;
const sent = (outcome: ReferenceOutcome | undefined): Ipv4Packet => parseIpv4(parseEthernet(outcome!.frame).payload);
const cut = (packet: Ipv4Packet, length: number): Ipv4Packet => ({
  ...packet,
  payload: packet.payload.slice(0, length),
});

/** A NAT director with one TCP and one UDP connection from port 40000. */
function connected(options = {}) {
  const made = director('nat', options);
  made.send(frame(tcp(SYN, [40000, 80])), 'cli', 0);
  made.send(frame(udp([40000, 53])), 'cli', 0);
  return made;
}

describe('replies', () => {
  it('leave from the VIP', () => {
    const made = connected();
    const [reply] = made.send(frame(tcp(SYN | ACK, [8080, 40000], FROM_SERVER), 'srv'), 'srv', 0);
    expect(reply).toMatchObject({ verdict: 'forward', reason: 'nat-out', outInterface: 'cli' });
    const expected = tcp(SYN | ACK, [80, 40000], { source: VIP, destination: CLIENT, ttl: 63 });
    expect(toHex(reply!.frame.slice(14))).toBe(toHex(serialiseIpv4(expected)));
  });

  it('count as out, and follow the output table', () => {
    const made = connected();
    made.send(frame(tcp(SYN | ACK, [8080, 40000], FROM_SERVER), 'srv'), 'srv', 0);
    made.send(frame(tcp(RST, [8080, 40000], FROM_SERVER, 3), 'srv'), 'srv', 1000);
    made.send(frame(udp([5353, 40000], FROM_SERVER, 5), 'srv'), 'srv', 2000);
    const [tcpService, udpService] = made.services();
    expect(tcpService).toMatchObject({ stats: { outPackets: 2n, outBytes: 83n, inPackets: 1n } });
    expect(tcpService!.dests).toMatchObject([{ stats: { outPackets: 2n, outBytes: 83n }, inactiveConnections: 1 }]);
    expect(udpService).toMatchObject({ stats: { outPackets: 1n, outBytes: 33n } });
    expect(made.connections(2000)).toMatchObject([
      { state: 'CLOSE', expires: 9, inPackets: 1 },
      { state: 'UDP', expires: 300, inPackets: 1 },
    ]);
  });

  it('are found by all four of their ends', () => {
    const made = connected();
    made.setNetwork({
      ...NETWORK,
      neighbours: [...NETWORK.neighbours!, { dst: '10.0.0.3', dev: 'cli', lladdr: '02:00:00:00:00:03' }],
    });
    for (const packet of [
      udp([5354, 40000], FROM_SERVER),
      udp([5353, 40001], FROM_SERVER),
      udp([5353, 40000], { ...FROM_SERVER, source: '10.1.0.12' }),
      udp([5353, 40000], { ...FROM_SERVER, destination: '10.0.0.3' }),
      tcp(ACK, [5353, 40000], FROM_SERVER),
    ]) {
      const [outcome] = made.send(frame(packet, 'srv'), 'srv', 0);
      expect(judged([outcome!])).toEqual(['forward routed']);
      expect(toHex(outcome!.frame.slice(14))).toBe(toHex(serialiseIpv4({ ...packet, ttl: 63 })));
    }
  });

  it('of DR and TUN are only routed', () => {
    for (const method of ['dr', 'tun'] as const) {
      const made = director(method);
      made.send(frame(udp([40000, 53])), 'cli', 0);
      const reply = udp([53, 40000], FROM_SERVER);
      expect(judged(made.send(frame(reply, 'srv'), 'srv', 0))).toEqual(['forward routed']);
    }
  });

  it('belong to the newest connection that they fit', () => {
    const made = connected();
    const other = { protocol: 'udp', address: '10.0.0.1', port: 5300 } as const;
    made.addService(other);
    made.addDest(other, { address: SERVER, port: 5353, method: 'nat' });
    made.send(frame(udp([40000, 5300], { destination: '10.0.0.1' })), 'cli', 0);
    const reply = frame(udp([5353, 40000], FROM_SERVER), 'srv');
    expect(sent(made.send(reply, 'srv', 200_000)[0]).source).toBe(parseAddress('10.0.0.1'));
    made.send(frame(udp([40000, 53])), 'cli', 250_000);
    expect(sent(made.send(reply, 'srv', 250_000)[0]).source).toBe(parseAddress('10.0.0.1'));
    // The newest one was kept alive by replies until 250 s and ends at 550 s; the other one lives.
    made.send(frame(udp([40000, 53])), 'cli', 500_000);
    expect(sent(made.send(reply, 'srv', 551_000)[0]).source).toBe(parseAddress(VIP));
  });

  it('cut short are dropped, when the ports are there', () => {
    const made = connected();
    const judge = (packet: Ipv4Packet) => judged(made.send(frame(packet, 'srv'), 'srv', 0));
    expect(judge(cut(tcp(ACK, [8080, 40000], FROM_SERVER), 19))).toEqual(['drop transport-truncated']);
    expect(judge(cut(udp([5353, 40000], FROM_SERVER), 7))).toEqual(['drop transport-truncated']);
    expect(judge(cut(udp([5353, 40000], FROM_SERVER), 3))).toEqual(['forward routed']);
    expect(judge(cut(udp([5353, 40001], FROM_SERVER), 7))).toEqual(['forward routed']);
  });
});

describe('forwarding', () => {
  it('happens only with ip_forward', () => {
    const made = connected({ sysctl: { ip_forward: 0 } });
    const reply = frame(udp([5353, 40000], FROM_SERVER), 'srv');
    const [outcome] = made.send(reply, 'srv', 0);
    expect(judged([outcome!])).toEqual(['pass not-forwarding']);
    expect(toHex(outcome!.frame)).toBe(toHex(reply));
  });

  it('answers from the address of the way back', () => {
    const made = connected({ network: networkWith({ ...NETWORK.interfaces[1]!, mtu: 1000 }) });
    const cases = [
      [udp([5353, 40000], { source: SERVER, destination: '192.0.2.1' }), 'no-route', 'net-unreachable', 3, 0, 0],
      [udp([5353, 40000], { ...FROM_SERVER, ttl: 1 }), 'ttl-exceeded', 'time-exceeded', 11, 0, 0],
      [udp([5353, 40000], { ...FROM_SERVER, flags: DF }, 973), 'too-big', 'fragmentation-needed', 3, 4, 1000],
    ] as const;
    for (const [packet, reason, name, type, code, rest] of cases) {
      const outcomes = made.send(frame(packet, 'srv'), 'srv', 0);
      expect(judged(outcomes)).toEqual([`drop ${reason}`, `forward ${name}`]);
      const error = sent(outcomes[1]);
      expect(error).toMatchObject({ source: parseAddress('10.1.0.1'), destination: parseAddress(SERVER), tos: 0xc0 });
      expect(parseIcmp(error.payload)).toMatchObject({ type, code, rest });
      expect(toHex(parseIcmp(error.payload).payload)).toBe(toHex(serialiseIpv4(packet).slice(0, 548)));
    }
    expect(made.services()[1]!.stats.outPackets).toBe(0n);
  });

  it('answers with the address of the way back recorded', () => {
    const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0);
    const packet = udp([5353, 40000], { ...FROM_SERVER, ttl: 1, options });
    const [, error] = connected().send(frame(packet, 'srv'), 'srv', 0);
    const quoted = parseIpv4(parseIcmp(sent(error).payload).payload.slice(0, 62));
    expect(toHex(quoted.options)).toBe('0707080a01000100');
  });

  it('cuts what is too large, after the connection has seen it', () => {
    const made = connected({ network: networkWith({ ...NETWORK.interfaces[1]!, mtu: 1000 }) });
    const judge = (packet: Ipv4Packet) => judged(made.send(frame(packet, 'srv'), 'srv', 0));
    expect(judge(udp([5353, 40000], FROM_SERVER, 972))).toEqual(['forward nat-out']);
    expect(judge(udp([5353, 40000], FROM_SERVER, 973))).toEqual(['forward nat-out', 'forward fragment']);
    expect(judge(udp([9, 9], FROM_SERVER, 973))).toEqual(['forward routed', 'forward fragment']);
    expect(made.services()[1]!.stats.outPackets).toBe(2n);
  });

  it('never answers an ICMP error, and routes it', () => {
    const made = connected();
    const error = (type: number, ttl: number) =>
      ip({
        ...FROM_SERVER,
        ttl,
        protocol: 1,
        payload: serialiseIcmp({ type, code: 0, rest: 0, payload: new Uint8Array(28) }),
      });
    for (const type of [3, 4, 5, 11, 12]) {
      expect(judged(made.send(frame(error(type, 1), 'srv'), 'srv', 0))).toEqual(['drop ttl-exceeded']);
      expect(judged(made.send(frame(error(type, 2), 'srv'), 'srv', 0))).toEqual(['forward routed']);
    }
    const answered = ['drop ttl-exceeded', 'forward time-exceeded'];
    for (const type of [0, 8, 13]) expect(judged(made.send(frame(error(type, 1), 'srv'), 'srv', 0))).toEqual(answered);
    const empty = { ...error(8, 1), payload: new Uint8Array(0) };
    expect(judged(made.send(frame(empty, 'srv'), 'srv', 0))).toEqual(['drop ttl-exceeded']);
  });
});

describe('nat_icmp_send', () => {
  const judge = (packet: Ipv4Packet, method: 'nat' | 'dr' = 'nat') => {
    const made = director(method, { sysctl: { nat_icmp_send: 1 } });
    return made.send(frame(packet, 'srv'), 'srv', 0);
  };

  it('tells a server that speaks without a connection, quoting one hop on', () => {
    const packet = udp([5353, 40000], FROM_SERVER);
    const outcomes = judge(packet);
    expect(judged(outcomes)).toEqual(['drop no-connection', 'forward port-unreachable']);
    expect(sent(outcomes[1])).toMatchObject({ source: parseAddress('10.1.0.1'), destination: parseAddress(SERVER) });
    const quoted = parseIcmp(sent(outcomes[1]).payload).payload;
    expect(toHex(quoted)).toBe(toHex(serialiseIpv4({ ...packet, ttl: 63 })));
    expect(judged(judge(tcp(ACK, [8080, 40000], FROM_SERVER)))[0]).toBe('drop no-connection');
  });

  it('leaves others alone', () => {
    for (const packet of [
      tcp(RST | ACK, [8080, 40000], FROM_SERVER),
      tcp(ACK, [5353, 40000], FROM_SERVER),
      udp([8080, 40000], FROM_SERVER),
      udp([5353, 40000], { ...FROM_SERVER, source: '10.1.0.12' }),
      cut(udp([5353, 40000], FROM_SERVER), 3),
    ]) {
      expect(judged(judge(packet))).toEqual(['forward routed']);
    }
    expect(judged(judge(udp([53, 40000], FROM_SERVER), 'dr'))).toEqual(['forward routed']);
    const silent = director('nat').send(frame(udp([5353, 40000], FROM_SERVER), 'srv'), 'srv', 0);
    expect(judged(silent)).toEqual(['forward routed']);
  });
});

describe('routes', () => {
  const route = (routes: NonNullable<typeof NETWORK.routes>) => {
    const made = director('nat', {
      network: { ...networkWith({ name: 'x', kind: 'raw' }, { name: 'y', kind: 'raw' }), routes },
    });
    return made.send(frame(udp([1, 2], { source: SERVER, destination: '192.0.2.77' }), 'srv'), 'srv', 0)[0]!
      .outInterface;
  };

  it('the longest prefix wins', () => {
    expect(
      route([
        { dst: 'default', dev: 'x' },
        { dst: '192.0.2.64/26', dev: 'y' },
        { dst: '192.0.2.0/24', dev: 'x' },
      ]),
    ).toBe('y');
    expect(
      route([
        { dst: '192.0.2.77', dev: 'y' },
        { dst: '192.0.2.64/26', dev: 'x', metric: -1 },
      ]),
    ).toBe('y');
    expect(
      route([
        { dst: '0.0.0.0/0', dev: 'y' },
        { dst: '192.0.3.0/24', dev: 'x' },
      ]),
    ).toBe('y');
  });

  it('then the lowest metric, then the first', () => {
    expect(
      route([
        { dst: 'default', dev: 'x', metric: 2 },
        { dst: 'default', dev: 'y', metric: 1 },
      ]),
    ).toBe('y');
    expect(
      route([
        { dst: 'default', dev: 'x', metric: 2 },
        { dst: 'default', dev: 'y' },
      ]),
    ).toBe('y');
    expect(
      route([
        { dst: 'default', dev: 'x' },
        { dst: 'default', dev: 'y' },
      ]),
    ).toBe('x');
  });

  it('a subnet of two addresses has no broadcast address', () => {
    const addresses = ['10.3.0.0/31', '10.4.0.1/30'];
    const network = networkWith({ name: 'x', kind: 'raw', addresses });
    const made = director('nat', { network: { ...network, routes: [{ dst: 'default', dev: 'x' }] } });
    const judge = (destination: string) => judged(made.send(frame(udp([1, 2], { destination })), 'cli', 0));
    expect(judge('10.3.0.1')).toEqual(['forward routed']);
    expect(judge('10.4.0.3')).toEqual(['local local-delivery']);
    expect(judge('10.4.0.0')).toEqual(['forward routed']);
  });

  it('IPv6 is left out', () => {
    expect(
      route([
        { dst: 'default', dev: 'x', gateway: 'fd00::1' },
        { dst: 'default', dev: 'y' },
      ]),
    ).toBe('y');
  });
});
