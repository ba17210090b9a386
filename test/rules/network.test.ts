/** Networks: as iproute2 printed them, and as scenarios have them. */
import { describe, expect, it } from 'vitest';
import { prefixBytes } from '../../src/address.js';
import { networkFromJson, networkFromScenario, parseNetwork } from '../../src/rules/network.js';
import { fixture, kernelFile, SCENARIOS } from './model.js';
import type { Json } from './network.js';

describe('what iproute2 printed', () => {
  it('becomes a network', () => {
    expect(parseNetwork(fixture('network/director.json'))).toEqual({
      interfaces: [
        { name: 'lo', kind: 'loopback', mtu: 65536, up: true, addresses: ['127.0.0.1/8', '::1/128'] },
        expect.objectContaining({ name: 'srvp', kind: 'ether', mac: '02:00:00:00:01:fe', up: true }),
        {
          name: 'srv',
          kind: 'ether',
          mac: '02:00:00:00:01:01',
          mtu: 1500,
          up: true,
          addresses: ['10.1.0.1/24', expect.stringMatching(/^fe80::.*\/64$/)],
        },
        expect.objectContaining({ name: 'clip', kind: 'ether', mac: '02:00:00:00:00:02', up: true }),
        {
          name: 'cli',
          kind: 'ether',
          mac: '02:00:00:00:00:01',
          mtu: 1500,
          up: true,
          addresses: ['10.0.0.1/24', '10.0.0.100/32', 'fd00::1/64', expect.stringMatching(/^fe80::.*\/64$/)],
        },
        { name: 'br0', kind: 'ether', mac: '02:00:00:00:02:01', mtu: 1500, up: false, addresses: [] },
        { name: 'tun0', kind: 'raw', mtu: 1400, up: false, addresses: ['10.5.0.1/32'] },
      ],
      routes: [
        { dst: 'default', gateway: '10.0.0.254', dev: 'cli', metric: 100 },
        { dst: '10.0.0.0/24', dev: 'cli', prefsrc: '10.0.0.1' },
        { dst: '10.1.0.0/24', dev: 'srv', prefsrc: '10.1.0.1' },
        { dst: '10.5.0.2', dev: 'tun0', prefsrc: '10.5.0.1' },
        { dst: '10.9.0.0/16', gateway: '10.0.0.2', dev: 'cli' },
        { dst: 'fd00::/64', dev: 'cli', metric: 256 },
        { dst: 'fd00:9::/32', gateway: 'fd00::2', dev: 'cli', metric: 1024 },
        ...['clip', 'cli', 'srvp', 'srv'].map((dev) => ({ dst: 'fe80::/64', dev, metric: 256 })),
      ],
      neighbours: [
        { dst: '10.1.0.11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
        { dst: '10.0.0.2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
        { dst: 'fd00::2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
      ],
    });
  });

  it('becomes a network of both families with tunnels', () => {
    const linkLocal = expect.stringMatching(/^fe80::.*\/64$/);
    const tunnel = (name: string, kind: string, mtu: number, ...addresses: unknown[]) => ({
      name,
      kind,
      mtu,
      up: true,
      addresses,
    });
    const { interfaces, ...rest } = parseNetwork(fixture('network/tunnels.json'));
    expect(interfaces.filter(({ kind }) => kind !== 'ether')).toEqual([
      { name: 'lo', kind: 'loopback', mtu: 65536, up: true, addresses: ['127.0.0.1/8', '::1/128'] },
      tunnel('tunl0', 'ipip', 1480),
      tunnel('sit0', 'sit', 1480, '::127.0.0.1/96'),
      tunnel('ip6tnl0', 'ip6tnl', 1452, linkLocal),
      tunnel('gre0', 'gre', 1476, linkLocal),
      tunnel('ip6gre0', 'ip6gre', 1448, linkLocal),
    ]);
    expect(interfaces.find(({ name }) => name === 'cli')?.addresses).toEqual([
      '10.0.0.1/24',
      'fd00::100/128',
      'fd00::1/64',
      linkLocal,
    ]);
    expect(rest).toEqual({
      routes: [
        { dst: '10.0.0.0/24', dev: 'cli', prefsrc: '10.0.0.1' },
        { dst: '10.1.0.0/24', dev: 'srv', prefsrc: '10.1.0.1' },
        { dst: '10.9.0.0/16', gateway: '10.0.0.2', dev: 'cli' },
        { dst: 'fd00::100', dev: 'cli', metric: 256 },
        { dst: 'fd00::/64', dev: 'cli', metric: 256 },
        { dst: 'fd00:1::/64', dev: 'srv', metric: 256 },
        { dst: 'fd00:5::/32', dev: 'srv', metric: 1024 },
        { dst: 'fd00:9::/32', gateway: 'fd00::2', dev: 'cli', metric: 1024 },
        ...['c0', 'cli', 's0', 'srv'].map((dev) => ({ dst: 'fe80::/64', dev, metric: 256 })),
        { dst: '::/0', gateway: 'fd00::2', dev: 'cli', metric: 100 },
      ],
      neighbours: [
        { dst: 'fd00::2', dev: 'cli', lladdr: '02:00:00:00:00:02' },
        { dst: 'fd00:1::11', dev: 'srv', lladdr: '02:00:00:00:01:11' },
      ],
      fou: [
        { port: 6081, family: 6 },
        { port: 6080, family: 4 },
      ],
    });
  });

  it('tells tunnels without the list of links', () => {
    const { link: _, ...rest } = JSON.parse(fixture('network/tunnels.json')) as Json;
    expect(networkFromJson(rest)).toEqual(parseNetwork(fixture('network/tunnels.json')));
  });

  it('is the same parsed before or by us', () => {
    const text = fixture('network/director.json');
    expect(networkFromJson(JSON.parse(text))).toEqual(parseNetwork(text));
  });
});

describe('scenarios', () => {
  it.each(SCENARIOS)('%s: interfaces, routes and neighbours of the director', (scenario) => {
    const { topology } = JSON.parse(kernelFile(scenario, 'scenario.json')) as {
      topology: { director: Record<string, Json[]> };
    };
    const { director } = topology;
    const network = networkFromScenario(director);
    expect(network.interfaces.map(({ name, kind }) => [name, kind])).toEqual([
      ['lo', 'loopback'],
      ['cli', 'ether'],
      ['srv', 'ether'],
    ]);
    expect(network.interfaces.map(({ mtu }) => mtu)).toEqual(director.interfaces!.map(({ mtu }) => mtu));
    expect(network.interfaces.map(({ addresses }) => addresses)).toEqual(
      director.interfaces!.map(({ addrs }) => addrs),
    );
    expect(network.interfaces.slice(1).map(({ mac }) => mac)).toEqual(['02:00:00:00:00:01', '02:00:00:00:01:01']);
    expect(network.routes).toEqual(director.routes);
    expect(network.neighbours).toEqual(director.neighbours);
    expect(network.routes!.length).toBeGreaterThan(2);
    expect(network.neighbours!.length).toBeGreaterThan(10);
    for (const { dst } of network.routes!) expect(prefixBytes(dst).length).toBeGreaterThan(0);
  });

  it('know tunnels by their names', () => {
    const tunl0 = { name: 'tunl0', mac: '0.0.0.0', mtu: 1480, addrs: ['10.0.0.100/32', 'fd00::100/128'] };
    expect(networkFromScenario({ interfaces: [tunl0] }).interfaces).toEqual([
      { name: 'tunl0', kind: 'ipip', mtu: 1480, up: true, addresses: tunl0.addrs },
    ]);
  });

  const cli = { name: 'cli', mac: '02:00:00:00:00:01', mtu: 1500, addrs: ['10.0.0.1/24'] };
  it.each<[unknown, string]>([
    [undefined, 'topology.director: expected an object, got nothing'],
    [{}, 'topology.director.interfaces: expected interfaces, got none'],
    [
      { interfaces: [{ ...cli, name: '' }] },
      'topology.director.interfaces[0].name: expected the name of an interface, got ""',
    ],
    [
      { interfaces: [{ ...cli, mac: 'x' }] },
      'topology.director.interfaces[0].mac: expected a MAC such as 02:00:00:00:00:01, got "x"',
    ],
    [
      { interfaces: [{ ...cli, addrs: undefined }] },
      'topology.director.interfaces[0].addrs: expected a list, got nothing',
    ],
    [
      { interfaces: [{ ...cli, addrs: ['10.0.0.1'] }] },
      'topology.director.interfaces[0].addrs[0]: expected an address with its prefix length such as 10.0.0.1/24, got "10.0.0.1"',
    ],
    [
      { interfaces: [{ ...cli, addrs: ['10.0.0.1/24', '10.0.0/24'] }] },
      'topology.director.interfaces[0].addrs[1]: expected an address with its prefix length such as 10.0.0.1/24, got "10.0.0/24"',
    ],
    [{ interfaces: [cli, cli] }, 'topology.director.interfaces[1]: expected each interface once, got "cli" again'],
    [
      { interfaces: [cli], routes: [{ dst: 'x', dev: 'cli' }] },
      'topology.director.routes[0].dst: expected a prefix such as 10.0.0.0/24 or fd00::/64, an address or default, got "x"',
    ],
    [
      { interfaces: [cli], neighbours: [{ dst: '10.0.0.2', dev: 'srv' }] },
      'topology.director.neighbours[0].dev: expected the name of an interface, got "srv": there is none',
    ],
  ])('refuse %j', (host, message) => {
    expect(() => networkFromScenario(host, 's.json')).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT', message: `s.json: ${message}` }),
    );
  });
});
