/** The API: rules and their errors, switches and timeouts, counters of services. */
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.js';
import type { DestConfig, ServiceConfig, SysctlConfig } from '../../src/types.js';
import { SMALL_PLAN } from '../support/core.js';
import { coded } from '../support/errors.js';
import { fromClient, lab, NAT, request, SERVERS, TCP_KEY, UDP_KEY } from '../support/lab.js';
import { ACK } from '../support/packets.js';

describe('rules', () => {
  it('are refused when they do not fit what is there', () => {
    const director = lab([NAT], { plan: { ...SMALL_PLAN, services: 2, dests: 3 } });
    const none = { ...TCP_KEY, port: 99 };
    const codes: [ErrorCode, () => void][] = [
      ['SERVICE_EXISTS', () => director.addService(TCP_KEY)],
      ['TABLE_FULL', () => director.addService(none)],
      ['NO_SUCH_SERVICE', () => director.editService(none)],
      ['NO_SUCH_SERVICE', () => director.deleteService(none)],
      ['NO_SUCH_SERVICE', () => director.addDest(none, NAT)],
      ['NO_SUCH_SERVICE', () => director.editDest(none, NAT)],
      ['NO_SUCH_SERVICE', () => director.deleteDest(none, NAT)],
      ['DEST_EXISTS', () => director.addDest(TCP_KEY, NAT)],
      ['NO_SUCH_DEST', () => director.editDest(TCP_KEY, { ...NAT, port: 1 })],
      ['NO_SUCH_DEST', () => director.deleteDest(TCP_KEY, { address: SERVERS[1] })],
    ];
    for (const [code, act] of codes) expect(act, code).toThrow(coded(code));
    director.addDest(TCP_KEY, { address: SERVERS[1] });
    expect(() => director.addDest(TCP_KEY, { address: SERVERS[2] })).toThrow(coded('TABLE_FULL'));
    expect(director.services()).toHaveLength(2);
  });

  it.each([
    { port: 0 },
    { port: 65_536 },
    { port: 1.5 },
    { address: '10.0.0' },
    { address: 'fd00::1%cli' },
    { protocol: 'icmp' },
    { scheduler: 'lblc2' },
    { flags: ['mh-port'] },
  ])('refuse a service with %j', (change) => {
    const director = lab([]);
    expect(() => director.addService({ ...TCP_KEY, port: 99, ...change } as ServiceConfig)).toThrow(RangeError);
    expect(director.services()).toHaveLength(2);
  });

  it.each([
    { port: -1 },
    { address: '10.0.0.256' },
    { method: 'masq' },
    { weight: -1 },
    { weight: 65_536 },
    { weight: 0.5 },
    { upperThreshold: -1 },
    { lowerThreshold: 2 ** 31 },
  ])('refuse a dest with %j', (change) => {
    const director = lab([NAT]);
    const wrong = { ...NAT, address: SERVERS[1], ...change } as DestConfig;
    expect(() => director.addDest(TCP_KEY, wrong)).toThrow(RangeError);
    expect(director.services().map(({ dests }) => dests.length)).toEqual([1, 1]);
  });

  it('have ipvsadm’s defaults', () => {
    const director = lab([]);
    director.deleteService(TCP_KEY);
    director.addService(TCP_KEY);
    director.addDest(TCP_KEY, { address: SERVERS[0] });
    expect(director.services().find(({ protocol }) => protocol === 'tcp')).toMatchObject({
      ...TCP_KEY,
      scheduler: 'wlc',
      flags: [],
      dests: [{ address: SERVERS[0], port: 80, method: 'dr', weight: 1, upperThreshold: 0, lowerThreshold: 0 }],
    });
  });

  it('are listed as given, the dest added last first', () => {
    const director = lab([NAT, { ...NAT, address: SERVERS[1], weight: 7, upperThreshold: 9, lowerThreshold: 3 }]);
    director.editService({ ...UDP_KEY, scheduler: 'sh', flags: ['sh-port', 'sh-fallback'] });
    const [service] = director.services().filter(({ protocol }) => protocol === 'udp');
    expect(service).toMatchObject({ scheduler: 'sh', flags: ['sh-fallback', 'sh-port'] });
    expect(service?.dests).toMatchObject([
      { address: SERVERS[1], port: 8080, method: 'nat', weight: 7, upperThreshold: 9, lowerThreshold: 3 },
      { address: SERVERS[0], weight: 1 },
    ]);
  });

  it('are all gone after clear', () => {
    const director = lab([NAT]);
    director.clear();
    expect(director.services()).toEqual([]);
    director.addService(TCP_KEY);
    expect(director.services()).toMatchObject([{ dests: [], stats: { connections: 0n } }]);
  });

  it('a service is found by protocol, address and port, whatever is beside it', () => {
    const director = lab([], { plan: { ...SMALL_PLAN, services: 64 } });
    const ports = Array.from({ length: 60 }, (_, i) => 1000 + i * 7);
    for (const port of ports) director.addService({ ...TCP_KEY, port });
    for (const port of ports.filter((_, i) => i % 3 === 0)) director.deleteService({ ...TCP_KEY, port });
    for (const [i, port] of ports.entries()) {
      const act = (): void => director.editService({ ...TCP_KEY, port });
      if (i % 3 === 0) expect(act).toThrow(coded('NO_SUCH_SERVICE'));
      else expect(act).not.toThrow();
    }
  });
});

describe('switches and timeouts', () => {
  it('have the kernel’s defaults, but that a director forwards', () => {
    expect(lab([]).getSysctl()).toEqual({
      ip_forward: 1,
      ipv6_forwarding: 1,
      pmtu_disc: 1,
      sloppy_tcp: 0,
      sloppy_sctp: 0,
      expire_nodest_conn: 0,
      expire_quiescent_template: 0,
      conn_reuse_mode: 1,
      nat_icmp_send: 0,
      schedule_icmp: 0,
      cache_bypass: 0,
      ignore_tunneled: 0,
      lblc_expiration: 86_400,
      lblcr_expiration: 86_400,
      secure_tcp: 0,
      drop_entry: 0,
      drop_packet: 0,
      am_droprate: 10,
      amemthresh: 1024,
      synproxy_defer: 0,
      synproxy_mss: 1460,
      synproxy_wscale: 7,
      synproxy_sack: 1,
      synproxy_timestamp: 1,
      synproxy_retries: 3,
      synproxy_max_ack_saved: 3,
      synproxy_dup_ack: 10,
      conn_expire_tcp_rst: 0,
    });
  });

  it('change only what is given', () => {
    const director = lab([], { sysctl: { sloppy_tcp: 1 } });
    director.setSysctl({ pmtu_disc: 0 });
    expect(director.getSysctl()).toMatchObject({ sloppy_tcp: 1, pmtu_disc: 0, ip_forward: 1 });
  });

  it.each([{ ip_forward: 2 }, { pmtu_disc: -1 }, { lblc_expiration: 0 }, { accept_source_route: 1 }])(
    'refuse %j',
    (sysctl) => {
      expect(() => lab([]).setSysctl(sysctl as SysctlConfig)).toThrow(RangeError);
    },
  );

  it.each([
    [{ tcp: 100 }, ACK, 100],
    [{ tcpfin: 50 }, ACK, 900],
    [{ tcp: 0 }, ACK, 900],
  ])('--set %j', (timeouts, flags, expected) => {
    const director = lab([NAT]);
    director.setTimeouts(timeouts);
    director.send(fromClient(request('tcp')), 'cli', 0);
    director.send(fromClient(request('tcp', { flags })), 'cli', 0);
    expect(director.connections(0)).toMatchObject([{ state: 'ESTABLISHED', expires: expected }]);
  });

  it('getTimeouts tells what was set, and the defaults', () => {
    const director = lab([]);
    expect(director.getTimeouts()).toEqual({ tcp: 900, tcpfin: 120, udp: 300 });
    director.setTimeouts({ tcp: 1, udp: 2_678_400 });
    expect(director.getTimeouts()).toEqual({ tcp: 1, tcpfin: 120, udp: 2_678_400 });
  });

  it.each([{ udp: -1 }, { udp: 2_678_401 }, { tcp: 0.5 }])('a timeout of %j is refused', (timeouts) => {
    expect(() => lab([]).setTimeouts(timeouts)).toThrow(RangeError);
  });
});

describe('counters of services', () => {
  it('zeroStats sets those of a service and its dests to 0, or those of all', () => {
    const director = lab([NAT]);
    const packets = () => director.services().map(({ stats, dests }) => [stats.inPackets, dests[0]?.stats.inPackets]);
    const zeroed = (...services: (typeof TCP_KEY | typeof UDP_KEY)[]) => {
      for (const protocol of ['tcp', 'udp'] as const) director.send(fromClient(request(protocol)), 'cli', 0);
      director.zeroStats(...services);
      return packets();
    };
    expect(zeroed(TCP_KEY)).toEqual([
      [0n, 0n],
      [1n, 1n],
    ]);
    expect(zeroed()).toEqual([
      [0n, 0n],
      [0n, 0n],
    ]);
    expect(director.services()[0]?.stats.connections).toBe(0n);
    expect(() => director.zeroStats({ ...TCP_KEY, port: 81 })).toThrow(coded('NO_SUCH_SERVICE'));
  });
});
