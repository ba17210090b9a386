import { describe, expect, it } from 'vitest';
import { prefixBytes } from '../../src/address.js';
import { IpvsError } from '../../src/errors.js';
import { RuleError } from '../../src/rules/ipvsadm.js';
import { networkFromJson, networkFromScenario, parseNetwork } from '../../src/rules/network.js';
import { fixture, kernelFile, SCENARIOS } from './model.js';

type Json = Record<string, unknown>;

const lo = {
  ifname: 'lo',
  flags: ['LOOPBACK', 'UP'],
  mtu: 65536,
  operstate: 'UNKNOWN',
  link_type: 'loopback',
  address: '00:00:00:00:00:00',
};
const eth0 = {
  ifname: 'eth0',
  flags: ['BROADCAST', 'UP', 'LOWER_UP'],
  mtu: 1500,
  operstate: 'UP',
  link_type: 'ether',
  address: '02:00:00:00:00:01',
  addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24, scope: 'global' }],
};
const vlan = {
  ...eth0,
  ifname: 'eth0.10',
  link: 'eth0',
  addr_info: [{ family: 'inet', local: '10.10.0.1', prefixlen: 24 }],
  linkinfo: { info_kind: 'vlan', info_data: { protocol: '802.1Q', id: 10, flags: ['REORDER_HDR'] } },
};
const ether = {
  name: 'eth0',
  kind: 'ether',
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  up: true,
  addresses: ['10.0.0.1/24'],
};

const interfacesOf = (addr: Json[], link?: Json[]) => networkFromJson({ addr, ...(link && { link }) }).interfaces;

function refusal(value: unknown): string {
  try {
    networkFromJson(value, 'net.json');
  } catch (error) {
    expect(error).toBeInstanceOf(IpvsError);
    expect((error as IpvsError).code).toBe('BAD_INPUT');
    return (error as IpvsError).message;
  }
  throw new Error(`taken: ${JSON.stringify(value)}`);
}

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

describe('interfaces', () => {
  it('come from addr alone or from link alone', () => {
    expect(interfacesOf([lo, eth0])[1]).toEqual(ether);
    const { addr_info: _, ...bare } = eth0;
    expect(networkFromJson({ link: [bare] }).interfaces).toEqual([{ ...ether, addresses: [] }]);
  });

  it('merge both lists, in the order of addr and then of link', () => {
    const { linkinfo: _, ...plain } = vlan;
    const both = interfacesOf(
      [plain],
      [
        { ...eth0, addr_info: undefined },
        { ...vlan, addr_info: undefined },
      ],
    );
    expect(both.map(({ name, vlan: tag, addresses }) => [name, tag, addresses])).toEqual([
      ['eth0.10', { parent: 'eth0', id: 10 }, ['10.10.0.1/24']],
      ['eth0', undefined, []],
    ]);
  });

  it('are up when the flag says so and the state does not object', () => {
    const up = (given: Json) => interfacesOf([{ ...eth0, ...given }])[0]!.up;
    expect(up({})).toBe(true);
    expect(up({ operstate: 'UNKNOWN' })).toBe(true);
    expect(up({ flags: undefined })).toBe(true);
    expect(up({ flags: ['BROADCAST'] })).toBe(false);
    expect(up({ flags: undefined, operstate: 'DOWN' })).toBe(false);
    expect(up({ operstate: 'DOWN' })).toBe(false);
    expect(up({ operstate: 'LOWERLAYERDOWN' })).toBe(false);
  });

  it('know VLANs, raw interfaces and tunnels, and leave out what they cannot be', () => {
    const kinds = interfacesOf([
      lo,
      eth0,
      vlan,
      { ifname: 'wg0', mtu: 1420, link_type: 'none', address: undefined },
      { ifname: 'tunl0', mtu: 1480, link_type: 'ipip', address: '0.0.0.0', flags: ['NOARP', 'UP'] },
      { ifname: 'gre0', mtu: 1476, link_type: 'gre', address: '0.0.0.0', flags: ['NOARP'] },
      { ifname: 'ib0', mtu: 2044, link_type: 'infiniband' },
      { ifname: 'ip_vti0', mtu: 1480, link_type: 'ipip', linkinfo: { info_kind: 'vti' } },
      { ifname: 'mine', mtu: 1448, link_type: 'gre6' },
      { ifname: 'sit0', mtu: 1480 },
      {},
    ]).map(({ name, kind, mac, vlan: tag }) => ({ name, kind, ...(mac && { mac }), ...(tag && { tag }) }));
    expect(kinds).toEqual([
      { name: 'lo', kind: 'loopback' },
      { name: 'eth0', kind: 'ether', mac: '02:00:00:00:00:01' },
      { name: 'eth0.10', kind: 'ether', mac: '02:00:00:00:00:01', tag: { parent: 'eth0', id: 10 } },
      { name: 'wg0', kind: 'raw' },
      { name: 'tunl0', kind: 'ipip' },
      { name: 'gre0', kind: 'gre' },
      { name: 'mine', kind: 'ip6gre' },
      { name: 'sit0', kind: 'sit' },
    ]);
    expect(interfacesOf([{ ifname: 't1', mtu: 1480, linkinfo: { info_kind: 'ipip' } }])[0]!.kind).toBe('ipip');
  });

  it('keep of an address with a peer only the address', () => {
    const addr_info = [
      { family: 'inet', local: '10.5.0.1', address: '10.5.0.2', prefixlen: 24 },
      { family: 'inet6', local: 'fd00::1', prefixlen: 64 },
      { family: 'mpls', local: '7' },
    ];
    expect(interfacesOf([{ ...eth0, addr_info }])[0]!.addresses).toEqual(['10.5.0.1/32', 'fd00::1/64']);
  });

  it.each<[unknown, string]>([
    [7, 'net.json: expected an object, got 7'],
    [[], 'net.json: expected an object, got []'],
    [{ route: [] }, 'net.json: expected "addr" (ip -j addr) or "link" (ip -j link), got neither'],
    [
      { addr: [], routes: [] },
      'net.json: routes: expected one of addr, link, route, neigh, fou, ip_vs_ftp, got "routes"',
    ],
    [{ addr: {} }, 'net.json: addr: expected a list, got {}'],
    [{ addr: [lo, 'eth0'] }, 'net.json: addr[1]: expected an object, got "eth0"'],
    [
      { addr: [{ ...eth0, ifname: undefined }] },
      'net.json: addr[0].ifname: expected the name of an interface, got nothing',
    ],
    [{ addr: [eth0, lo, eth0] }, 'net.json: addr[2]: expected each interface once, got "eth0" again'],
    [
      { addr: [{ ...eth0, link_type: undefined }] },
      'net.json: addr[0].link_type: expected a link type such as ether, got nothing',
    ],
    [
      { addr: [{ ...eth0, address: '02:00' }] },
      'net.json: addr[0].address: expected a MAC such as 02:00:00:00:00:01, got "02:00"',
    ],
    [
      { addr: [{ ...eth0, address: undefined }] },
      'net.json: addr[0].address: expected a MAC as a string, got undefined',
    ],
    [{ addr: [{ ...eth0, mtu: '1500' }] }, 'net.json: addr[0].mtu: expected an MTU of 68 to 65536, got "1500"'],
    [{ addr: [{ ...eth0, mtu: 67 }] }, 'net.json: addr[0].mtu: expected an MTU of 68 to 65536, got 67'],
    [{ addr: [{ ...eth0, flags: 'UP' }] }, 'net.json: addr[0].flags: expected a list, got "UP"'],
    [
      { addr: [{ ...eth0, addr_info: [{ family: 'inet', local: 'x', prefixlen: 24 }] }] },
      'net.json: addr[0].addr_info[0].local: expected an IPv4 address such as 10.0.0.1, got "x"',
    ],
    [
      { addr: [{ ...eth0, addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 33 }] }] },
      'net.json: addr[0].addr_info[0].prefixlen: expected a prefix length of 0 to 32, got 33',
    ],
    [
      { addr: [{ ...eth0, addr_info: [{ family: 'inet6', local: '10.0.0.1', prefixlen: 64 }] }] },
      'net.json: addr[0].addr_info[0].local: expected an IPv6 address such as fd00::1, got "10.0.0.1"',
    ],
    [{ addr: [vlan] }, 'net.json: addr[0].link: expected the name of an Ethernet interface, got "eth0"'],
    [
      { addr: [eth0, { ...vlan, link: undefined }] },
      "net.json: addr[1].link: expected the name of the VLAN's parent, got nothing",
    ],
    [
      { addr: [eth0], link: [{ ...vlan, linkinfo: { info_kind: 'vlan', info_data: { id: 4095 } } }] },
      'net.json: link[0].linkinfo.info_data.id: expected a VLAN ID of 1 to 4094, got 4095',
    ],
    [
      { addr: [eth0, { ...vlan, linkinfo: { info_kind: 'vlan' } }] },
      'net.json: addr[1].linkinfo.info_data: expected an object, got nothing',
    ],
    [
      { addr: [eth0, { ...vlan, linkinfo: { info_kind: 'vlan', info_data: { protocol: '802.1ad', id: 5 } } }] },
      'net.json: addr[1].linkinfo.info_data.protocol: expected 802.1Q, got "802.1ad": not handled by this version',
    ],
  ])('refuse %j', (value, message) => {
    expect(refusal(value)).toBe(message);
  });
});

describe('errors in a text', () => {
  const place = (text: string) => {
    try {
      parseNetwork(text, 'net.json');
    } catch (error) {
      expect(error).toBeInstanceOf(RuleError);
      const { file, line, column, message } = error as RuleError;
      expect(message.startsWith(`${file}:${line}:${column}: `)).toBe(true);
      return [line, column, message.replace(/^.*?: /, '')];
    }
    throw new Error('taken');
  };
  const text = (route: string) => `{\n "addr": [${JSON.stringify(eth0)}],\n "route": [\n  ${route}\n ]\n}\n`;

  it('name file, line, column and path', () => {
    expect(place(text('{"dst":"10.0.0.0/33","dev":"eth0"}'))).toEqual([
      4,
      10,
      'route[0].dst: expected a prefix length of 0 to 32, got "10.0.0.0/33"',
    ]);
  });

  it('point at the entry when the value is missing', () => {
    expect(place(text('{"dst":"10.0.0.0/24"}'))).toEqual([
      4,
      3,
      'route[0].dev: expected the name of an interface, got nothing',
    ]);
    expect(place('{}')).toEqual([1, 1, 'expected "addr" (ip -j addr) or "link" (ip -j link), got neither']);
  });

  it('point at the first character that is not JSON', () => {
    expect(place(text('{"dst":"10.0.0.0/24",}'))).toEqual([4, 24, 'expected JSON, got "}"']);
    expect(place('{ "addr": [')).toEqual([1, 12, 'expected JSON, got the end of the file']);
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

describe('values nested without end', () => {
  const brackets = 200_000;

  it.each([
    ['that are never closed', '['.repeat(brackets)],
    ['that are JSON', `${'['.repeat(brackets)}${']'.repeat(brackets)}`],
    ['within a network', `{"addr":\n${'['.repeat(brackets)}${']'.repeat(brackets)}}`],
    ['of objects', `${'{"a":'.repeat(brackets)}1${'}'.repeat(brackets)}`],
  ])('are refused where they are too deep: %s', (_, text) => {
    let thrown: unknown;
    try {
      parseNetwork(text, 'net.json');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RuleError);
    expect((thrown as RuleError).message).toMatch(
      /^net\.json:[12]:\d+: expected JSON of at most 1000 levels, got more$/,
    );
  });

  it('are refused as a value, too', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(brackets)}${']'.repeat(brackets)}`);
    expect(() => networkFromJson(deep)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  });
});
