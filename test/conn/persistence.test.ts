/** Persistent services: templates, whom they send where, and for how long. */
import { describe, expect, it } from 'vitest';
import type { Director, Outcome } from '../../src/director.js';
import type { DestConfig, ServiceKey, ServiceSettings, SysctlConfig } from '../../src/types.js';
import { BINARIES } from '../support/core.js';
import {
  CLIENT,
  fromClient,
  fromServer,
  judged,
  lab,
  onV6,
  request,
  request6,
  SERVERS,
  SERVERS6,
  serverOf,
  TCP_KEY,
  UDP_KEY,
  VIP,
  VIP6,
} from '../support/lab.js';
import { ACK, FIN, SYN, tcp, udp } from '../support/packets.js';

const DESTS: DestConfig[] = SERVERS.map((address) => ({ address, method: 'nat' }));

describe.each(BINARIES)('%s', (binary) => {
  interface Wanted extends ServiceSettings {
    keys?: ServiceKey[];
    dests?: DestConfig[];
    sysctl?: SysctlConfig;
    connections?: number;
  }

  const made = ({
    keys = [TCP_KEY],
    dests = DESTS,
    sysctl = {},
    connections = 256,
    ...service
  }: Wanted = {}): Director =>
    lab(
      dests,
      { binary, sysctl, plan: { connections, arenaBytes: 1 << 17, callIds: 2 } },
      { persistent: 300, ...service },
      keys,
    );

  /** A SYN of that client and port. */
  const open = (director: Director, source: string, sport: number, now = 0, words = {}, notes = {}): Outcome[] =>
    director.send(fromClient(request('tcp', { source, sport, ...words })), 'cli', now, notes);

  const templates = (director: Director, now = 0) => director.connections(now).filter(({ template }) => template);

  it('a client stays with its server, others come to the next', () => {
    const director = made();
    expect(serverOf(open(director, '10.9.0.1', 1))).toBe(13);
    expect(serverOf(open(director, '10.9.0.2', 1))).toBe(12);
    expect(serverOf(open(director, '10.9.0.1', 2))).toBe(13);
    expect(serverOf(open(director, '10.9.0.3', 1))).toBe(11);
    expect(serverOf(open(director, '10.9.0.2', 2))).toBe(12);
    expect(templates(director)).toHaveLength(3);
    expect(templates(director)[0]).toEqual({
      protocol: 'tcp',
      clientAddress: '10.9.0.1',
      clientPort: 0,
      virtualAddress: VIP,
      virtualPort: 80,
      destAddress: SERVERS[2],
      destPort: 80,
      method: 'nat',
      state: 'NONE',
      expires: 300,
      idle: 0,
      inPackets: 0,
      template: true,
    });
    expect(director.services()[0]).toMatchObject({
      persistent: 300,
      netmask: '255.255.255.255',
      stats: { connections: 5n },
      dests: [{ persistentConnections: 1, activeConnections: 2 }, {}, {}],
    });
  });

  it('clients of one network are one client', () => {
    const director = made({ netmask: '255.255.255.0' });
    const servers = ['10.9.0.1', '10.9.0.2', '10.9.1.1', '10.9.0.3'].map((client) =>
      serverOf(open(director, client, 1)),
    );
    expect(servers).toEqual([13, 13, 12, 13]);
    expect(templates(director).map(({ clientAddress }) => clientAddress)).toEqual(['10.9.0.0', '10.9.1.0']);
  });

  it('over IPv6 by the length of a prefix', () => {
    const dests: DestConfig[] = SERVERS6.map((address) => ({ address, method: 'dr' }));
    const director = made({ keys: [onV6(TCP_KEY)], dests, netmask: 61 });
    const sources = ['fd00:9:0:1::1', 'fd00:9:0:7::2', 'fd00:9:0:8::1'];
    for (const source of sources) director.send(fromClient(request6('tcp', { source })), 'cli', 0);
    expect(templates(director)).toMatchObject([
      { clientAddress: 'fd00:9::', virtualAddress: VIP6, destAddress: SERVERS6[2] },
      { clientAddress: 'fd00:9:0:8::', destAddress: SERVERS6[1] },
    ]);
    expect(director.services()[0]).toMatchObject({ persistent: 300, netmask: 61 });
  });

  it('another service has another template', () => {
    const other = { ...TCP_KEY, port: 443 };
    const director = made({ keys: [TCP_KEY, other] });
    open(director, '10.9.0.9', 1);
    expect(serverOf(open(director, CLIENT, 1))).toBe(12);
    expect(serverOf(open(director, CLIENT, 2, 0, { dport: 443 }))).toBe(13);
    expect(serverOf(open(director, CLIENT, 3))).toBe(12);
    expect(templates(director).map(({ virtualPort }) => virtualPort)).toEqual([80, 80, 443]);
  });

  it('a template lives for its time after the last connection was opened', () => {
    const director = made({ keys: [UDP_KEY], persistent: 10, ops: true });
    const send = (now: number) => director.send(fromClient(request('udp')), 'cli', now);
    send(0);
    send(9000);
    expect(templates(director, 18_999)).toHaveLength(1);
    expect(templates(director, 19_000)).toEqual([]);
    expect(serverOf(send(18_999))).toBe(13);
    expect(serverOf(send(28_999))).toBe(12);
  });

  it('and by minutes for as long as it controls connections', () => {
    const director = made({ persistent: 4 });
    open(director, CLIENT, 1);
    director.advance(4500);
    expect(templates(director, 4500)).toMatchObject([{ expires: 59.5 }]);
    // A connection that it opens then gives it a minute.
    open(director, CLIENT, 2, 34_000);
    expect(templates(director, 34_000)).toMatchObject([{ expires: 60 }]);
    // Both connections end before it does: the last 60 s after 34.
    director.advance(93_999);
    expect(director.connections(93_999)).toHaveLength(2);
    expect(serverOf(open(director, CLIENT, 3, 94_000))).toBe(12);
  });

  it('a template that is due when a client comes ends, although the wheel has not turned', () => {
    const director = made({ persistent: 61 });
    open(director, CLIENT, 1);
    // Its connection ended a second before.
    expect(serverOf(open(director, CLIENT, 2, 61_000))).toBe(12);
    expect(director.connections(61_000)).toHaveLength(2);
  });

  it('a long time ends everything', () => {
    const director = made({ persistent: 2 });
    open(director, CLIENT, 1);
    director.advance(10 ** 10);
    expect(director.connections(10 ** 10)).toEqual([]);
    expect(director.connectionCount).toBe(0);
    expect(director.services()[0]?.dests[0]).toMatchObject({ persistentConnections: 0, activeConnections: 0 });
  });

  it('is assured once a connection is established', () => {
    const director = made({ dests: DESTS.slice(0, 1) });
    open(director, CLIENT, 1);
    expect(templates(director)).toMatchObject([{ state: 'NONE' }]);
    const words = { source: SERVERS[0], destination: CLIENT, sport: 80, dport: 1 };
    director.send(fromServer(tcp({ ...words, flags: SYN | ACK })), 'srv', 0);
    open(director, CLIENT, 1, 0, { flags: ACK });
    expect(templates(director)).toMatchObject([{ state: 'ASSURED' }]);
  });

  it('of UDP once a server has answered', () => {
    const director = made({ keys: [UDP_KEY], dests: DESTS.slice(0, 1) });
    director.send(fromClient(request('udp')), 'cli', 0);
    expect(templates(director)).toMatchObject([{ state: 'NONE', protocol: 'udp' }]);
    const answer = udp({ source: SERVERS[0], destination: CLIENT, sport: 53, dport: 40_000 });
    director.send(fromServer(answer), 'srv', 0);
    expect(templates(director)).toMatchObject([{ state: 'ASSURED' }]);
  });

  it('a template whose server is deleted is left to its timer, and a new one made', () => {
    const director = made();
    expect(serverOf(open(director, CLIENT, 1))).toBe(13);
    director.deleteDest(TCP_KEY, { address: SERVERS[2] });
    expect(serverOf(open(director, CLIENT, 2, 1000))).toBe(12);
    expect(templates(director, 1000)).toMatchObject([
      { virtualPort: 65_535, destPort: 65_535, destAddress: SERVERS[2], expires: 299 },
      { virtualPort: 80, destAddress: SERVERS[1], expires: 300 },
    ]);
    // Its connections wait for the server.
    expect(judged(open(director, CLIENT, 1, 1000, { flags: ACK }))).toEqual(['drop dest-unavailable']);
  });

  it('a server of weight 0 keeps its clients, unless expire_quiescent_template', () => {
    const director = made();
    open(director, CLIENT, 1);
    director.editDest(TCP_KEY, { ...DESTS[2]!, weight: 0 });
    expect(serverOf(open(director, CLIENT, 2))).toBe(13);
    director.setSysctl({ expire_quiescent_template: 1 });
    expect(serverOf(open(director, CLIENT, 3))).toBe(12);
    director.editDest(TCP_KEY, { ...DESTS[2]!, weight: 1 });
    expect(serverOf(open(director, CLIENT, 4))).toBe(12);
  });

  it('expire_nodest_conn ends templates with their server', () => {
    const director = made({ sysctl: { expire_nodest_conn: 1 } });
    open(director, CLIENT, 1);
    director.deleteDest(TCP_KEY, { address: SERVERS[2] });
    expect(director.connections(0)).toEqual([]);
    director.addDest(TCP_KEY, DESTS[2]!);
    expect(director.services()[0]?.dests[0]).toMatchObject({ persistentConnections: 0, activeConnections: 0 });
  });

  it('a controlled connection that has ended is not opened again before its timeout', () => {
    const director = made();
    open(director, CLIENT, 1);
    open(director, CLIENT, 1, 0, { flags: FIN | ACK });
    director.send(
      fromServer(tcp({ source: SERVERS[2], destination: CLIENT, sport: 80, dport: 1, flags: FIN | ACK })),
      'srv',
      0,
    );
    open(director, CLIENT, 1);
    expect(director.connections(0).filter(({ template }) => !template)).toMatchObject([{ inPackets: 3 }]);
  });

  it('port 0 takes what no other service has, at its own port', () => {
    const all = { ...TCP_KEY, port: 0 };
    const director = made({ keys: [TCP_KEY, all] });
    open(director, '10.9.0.9', 1, 0, { dport: 8080 });
    expect(serverOf(open(director, CLIENT, 1, 0, { dport: 8443 }))).toBe(12);
    expect(serverOf(open(director, CLIENT, 1, 0, { dport: 8080 }))).toBe(12);
    expect(serverOf(open(director, CLIENT, 1))).toBe(13);
    expect(templates(director)).toMatchObject([
      { virtualPort: 0, destPort: 0 },
      { virtualPort: 0 },
      { virtualPort: 80 },
    ]);
    expect(director.connections(0)).toContainEqual(
      expect.objectContaining({ virtualPort: 8443, destPort: 8443, destAddress: SERVERS[1] }),
    );
    expect(() => director.editService({ ...all, scheduler: 'rr' })).toThrow('unless the service is persistent');
  });

  it("FTP's service takes data connections along", () => {
    const ftp = { ...TCP_KEY, port: 21 };
    const director = made({ keys: [ftp] });
    open(director, '10.9.0.9', 1, 0, { dport: 21 });
    for (const dport of [21, 20, 40_000]) expect(serverOf(open(director, CLIENT, 1, 0, { dport }))).toBe(12);
    expect(judged(open(director, CLIENT, 2, 0, { dport: 443 }))).toEqual(['local local-delivery']);
    expect(templates(director)).toMatchObject([{ virtualPort: 0, destPort: 0 }, { virtualPort: 0 }]);
    // Without persistence nothing of the kind is scheduled.
    director.editService({ ...ftp, scheduler: 'rr' });
    expect(judged(open(director, CLIENT, 3, 0, { dport: 40_000 }))).toEqual(['local local-delivery']);
    expect(serverOf(open(director, CLIENT, 4, 0, { dport: 21 }))).toBe(11);
  });

  it('a firewall mark has one template for all addresses, ports and protocols', () => {
    const dests: DestConfig[] = SERVERS.map((address) => ({ address, method: 'dr' }));
    const director = made({ keys: [{ fwmark: 7 }], dests });
    open(director, '10.9.0.9', 1, 0, {}, { mark: 7 });
    open(director, CLIENT, 1, 0, {}, { mark: 7 });
    open(director, CLIENT, 2, 0, { destination: '198.51.100.9', dport: 443 }, { mark: 7 });
    director.send(fromClient(request('udp')), 'cli', 0, { mark: 7 });
    expect(templates(director)).toMatchObject([
      { protocol: 'ip' },
      { protocol: 'ip', virtualAddress: '0.0.0.7', virtualPort: 0, destAddress: SERVERS[1], destPort: 0 },
    ]);
    const servers = director
      .connections(0)
      .filter(({ template, clientAddress }) => !template && clientAddress === CLIENT);
    expect(servers.map(({ destAddress }) => destAddress)).toEqual([SERVERS[1], SERVERS[1], SERVERS[1]]);
  });

  it('templates count against the table', () => {
    const director = made({ connections: 3 });
    expect(serverOf(open(director, '10.9.0.1', 1))).toBe(13);
    // A template still has room, its connection none.
    expect(serverOf(open(director, '10.9.0.2', 1))).toBe('table-full');
    expect(templates(director)).toHaveLength(2);
    expect(serverOf(open(director, '10.9.0.3', 1))).toBe('table-full');
  });

  describe('the Call-ID of SIP', () => {
    const SIP_KEY = { ...UDP_KEY, port: 5060 };
    const sip = (wanted: Wanted = {}) => made({ keys: [SIP_KEY], persistent: 60, pe: 'sip', ...wanted });
    const call = (director: Director, id: string, words = {}, now = 0) => {
      const payload = Buffer.from(`OPTIONS sip:x SIP/2.0\r\nCall-ID: ${id}\r\n\r\n`);
      return director.send(fromClient(request('udp', { dport: 5060, payload, ...words })), 'cli', now);
    };

    it('keeps the datagrams of a call together', () => {
      const director = sip({ ops: true });
      expect([call(director, 'a@x'), call(director, 'b@x'), call(director, 'a@x')].map(serverOf)).toEqual([13, 12, 13]);
      expect(director.connections(0)).toMatchObject([
        { template: true, virtualPort: 5060, pe: { name: 'sip', data: 'a@x' }, inPackets: 2 },
        { template: true, pe: { name: 'sip', data: 'b@x' }, inPackets: 1 },
      ]);
    });

    it('must be there', () => {
      const director = sip();
      expect(judged(director.send(fromClient(request('udp', { dport: 5060 })), 'cli', 0))).toEqual(['drop no-call-id']);
      expect(judged(call(director, ''))).toEqual(['drop no-call-id']);
      expect(judged(call(director, 'x'.repeat(256)))).toEqual(['drop no-call-id']);
      expect(judged(call(director, 'x'.repeat(255)))).toEqual(['forward nat-in']);
    });

    it('has room for as many as were planned, and comes free with its template', () => {
      const director = sip({ ops: true });
      expect([call(director, 'a'), call(director, 'b'), call(director, 'c')].map(serverOf)).toEqual([
        13,
        12,
        'table-full',
      ]);
      expect(serverOf(call(director, 'c', {}, 61_000))).toBe(13);
      expect(director.connections(61_000)).toMatchObject([{ pe: { data: 'c' } }]);
    });

    it('a server may call its client, and answers of one packet are translated', () => {
      const director = sip({ ops: true });
      call(director, 'a');
      const payload = Buffer.from('SIP/2.0 200 OK\r\ni: a\r\n\r\n');
      const answer = udp({ source: SERVERS[2], destination: CLIENT, sport: 5060, dport: 40_000, payload });
      expect(judged(director.send(fromServer(answer), 'srv', 0))).toEqual(['forward nat-out']);
      expect(director.connections(0)).toMatchObject([{ template: true, state: 'ASSURED' }]);
      // From another server: the template is void, and there is one for that.
      const other = udp({ source: SERVERS[0], destination: CLIENT, sport: 5060, dport: 40_000, payload });
      expect(judged(director.send(fromServer(other), 'srv', 0))).toEqual(['forward nat-out']);
      expect(serverOf(call(director, 'a'))).toBe(11);
      const silent = udp({ source: SERVERS[0], destination: CLIENT, sport: 5060, dport: 40_000 });
      expect(judged(director.send(fromServer(silent), 'srv', 0))).toEqual(['forward routed']);
    });
  });

  describe('one-packet scheduling', () => {
    const send = (director: Director) => director.send(fromClient(request('udp')), 'cli', 0);

    it('schedules each datagram by itself, and remembers none', () => {
      const director = made({ keys: [UDP_KEY], persistent: 0, ops: true });
      expect(Array.from({ length: 4 }, () => serverOf(send(director)))).toEqual([13, 12, 11, 13]);
      expect(director.connections(0)).toEqual([]);
      expect(director.connectionCount).toBe(0);
      expect(send(director)[0]?.connection).toBeUndefined();
      expect(director.services()[0]).toMatchObject({
        ops: true,
        stats: { connections: 5n, inPackets: 5n },
        dests: [{ inactiveConnections: 0, stats: { connections: 2n } }, {}, {}],
      });
    });

    it("a NAT server's answer has no connection: it is routed as it is", () => {
      const director = made({ keys: [UDP_KEY], persistent: 0, ops: true });
      send(director);
      const answer = udp({ source: SERVERS[2], destination: CLIENT, sport: 53, dport: 40_000 });
      expect(judged(director.send(fromServer(answer), 'srv', 0))).toEqual(['forward routed']);
    });

    it('of a firewall mark is for UDP alone', () => {
      const director = made({ keys: [{ fwmark: 7 }], persistent: 0, ops: true });
      director.send(fromClient(request('udp')), 'cli', 0, { mark: 7 });
      open(director, CLIENT, 1, 0, {}, { mark: 7 });
      expect(director.connections(0)).toMatchObject([{ protocol: 'tcp' }]);
    });

    it('needs UDP or a mark', () => {
      expect(() => made({ ops: true })).toThrow(
        'expected one-packet scheduling (ops) of UDP or a firewall mark, got tcp',
      );
    });
  });
});
