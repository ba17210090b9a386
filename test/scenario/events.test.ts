import { rmSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { checksumOffload, runCommand, surroundings } from '../../src/scenario/commands.js';
import type { ReplayNotes } from '../../src/scenario/replay.js';
import { verifyScenario } from '../../src/scenario/verify.js';
import type { NetworkConfig } from '../../src/types.js';
import { craft, Scripted, temporary } from './folder.js';
import { checksum, ip, tcpFrame, u16 } from './packets.js';

const parent = temporary();
afterAll(() => rmSync(parent, { recursive: true }));

const network: NetworkConfig = {
  interfaces: [{ name: 'cli', mac: '02:00:00:00:00:01', mtu: 1500, addresses: ['10.0.0.1/24'] }],
};

/** The network after commands. */
function changedBy(...commands: string[]): NetworkConfig {
  const around = surroundings(network);
  for (const command of commands) runCommand(around, command);
  return around.network;
}

describe('commands of the director', () => {
  it('change addresses', () => {
    const added = changedBy('ip addr add 10.0.0.100/32 dev cli', 'ip -6 addr add fd00::1/64 dev cli');
    expect(added.interfaces[0]?.addresses).toEqual(['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64']);
    expect(changedBy('ip addr del 10.0.0.1/24 dev cli').interfaces[0]?.addresses).toEqual([]);
    expect(network.interfaces[0]?.addresses).toEqual(['10.0.0.1/24']);
  });

  it('change interfaces, and bring tunnel devices up', () => {
    expect(changedBy('ip link set cli mtu 1400').interfaces[0]).toMatchObject({ mtu: 1400 });
    expect(changedBy('ip link set dev cli down').interfaces[0]).toMatchObject({ up: false });
    expect(changedBy('ip link set tunl0 up').interfaces[1]).toEqual({ name: 'tunl0', kind: 'ipip', up: true });
    const both = changedBy('ip link set ip6tnl0 up', 'ip link set sit0 up', 'ip link set ip6tnl0 down').interfaces;
    expect(both.slice(1)).toEqual([
      { name: 'ip6tnl0', kind: 'ip6tnl', up: false },
      { name: 'sit0', kind: 'sit', up: true },
    ]);
  });

  it('open ports for GUE', () => {
    expect(changedBy('ip fou add port 6080 gue', 'ip fou add port 6081 gue -6').fou).toEqual([
      { port: 6080 },
      { port: 6081, family: 6 },
    ]);
  });

  it('may route by mark to the host, which changes no network', () => {
    const around = surroundings(network);
    expect(runCommand(around, 'ip -6 rule add fwmark 1 lookup 100')).toBe(false);
    expect(runCommand(around, 'ip route add local 0.0.0.0/0 dev lo table 100')).toBe(false);
    expect(around.network).toBe(network);
  });

  it.each(['ip route flush', 'ip link set eth7 up', 'reboot', 'ip fou add port 6080 ipproto 4'])(
    '%s is refused',
    (command) => {
      expect(() => runCommand(surroundings(network), command)).toThrow(/not handled|no interface/);
    },
  );

  it('of others tell who leaves checksums to the network card', () => {
    expect(checksumOffload('ethtool -K c0 tx on')).toBe(true);
    expect(checksumOffload('ethtool -K c0 tx off')).toBe(false);
    expect(checksumOffload('ethtool -K c0 rx on')).toBeUndefined();
  });
});

describe('what a scenario tells the director', () => {
  const finished = tcpFrame({ sport: 1, dport: 80 });
  const begun = finished.slice();
  begun.set(u16(~checksum(ip('10.0.0.2'), ip('10.0.0.100'), [0, 6], u16(20)) & 0xffff), 50);

  it('is which checksums are unfinished, and what leaves is finished', async () => {
    const notes: ReplayNotes[] = [];
    const target = new Scripted((_frame, _index, _in, _now, note) => {
      notes.push(note);
      return [{ frame: begun, partialChecksum: true }];
    });
    const folder = craft(parent, 'offload', {
      cliIn: [0, 10, 20, 40].map((at) => ({ at, data: at === 20 ? finished : begun })),
      srvIn: [{ at: 30, data: begun }],
      srvOut: [1, 11, 21, 31, 41].map((at) => ({ at, data: finished })),
      events: [
        { at: 5, kind: 'cmd', ns: 'client', cmd: 'ethtool -K c0 tx on' },
        { at: 35, kind: 'cmd', ns: 'client', cmd: 'ethtool -K c0 tx off' },
      ],
    });
    expect(await verifyScenario(folder, () => target)).toMatchObject({ passed: true, matched: 5 });
    expect(notes.map(({ partialChecksum }) => partialChecksum)).toEqual([false, true, false, false, false]);
  });

  it('are marks, switches and networks', async () => {
    const marks: number[] = [];
    const target = new Scripted((_frame, _index, _in, _now, note) => {
      marks.push(note.mark);
      return [];
    });
    const folder = craft(parent, 'told', {
      cliIn: [{ at: 10, data: finished }],
      events: [
        { at: 1, kind: 'cmd', ns: 'director', cmd: 'iptables -t mangle -A PREROUTING -p tcp -j MARK --set-mark 3' },
        { at: 1, kind: 'cmd', ns: 'director', cmd: 'tc qdisc add dev cli ingress' },
        { at: 2, kind: 'sysctl', ns: 'director', set: 'net/ipv6/conf/all/forwarding=0' },
        { at: 3, kind: 'sysctl', ns: 'director', set: 'net/ipv4/vs/conntrack=1' },
        { at: 4, kind: 'cmd', ns: 'director', cmd: 'ip addr del 10.0.0.100/32 dev cli' },
        { at: 5, kind: 'cmd', ns: 'director', cmd: 'ipvsadm -A -u 10.0.0.100:500 -s rr -p 300' },
      ],
    });
    const result = await verifyScenario(folder, () => target);
    expect(result).toMatchObject({ passed: true, error: undefined });
    expect(marks).toEqual([3]);
    const calls = target.calls.filter((call) => !/^(advance|send)/.test(call));
    expect(calls.map((call) => call.replace(/ .*/, ''))).toEqual(['setSysctl', 'setNetwork', 'addService']);
    expect(calls[0]).toBe('setSysctl {"ipv6_forwarding":0}');
    expect(calls[1]).not.toContain('10.0.0.100/32');
    expect(calls[2]).toContain('"persistent":300');
  });
});
