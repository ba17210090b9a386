/** Interfaces of what iproute2 printed. */
import { describe, expect, it } from 'vitest';
import { networkFromJson } from '../../src/rules/network.js';
import { ETH0, type Json, LO, refusal } from './network.js';

const vlan = {
  ...ETH0,
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

describe('interfaces', () => {
  it('come from addr alone or from link alone', () => {
    expect(interfacesOf([LO, ETH0])[1]).toEqual(ether);
    const { addr_info: _, ...bare } = ETH0;
    expect(networkFromJson({ link: [bare] }).interfaces).toEqual([{ ...ether, addresses: [] }]);
  });

  it('merge both lists, in the order of addr and then of link', () => {
    const { linkinfo: _, ...plain } = vlan;
    const both = interfacesOf(
      [plain],
      [
        { ...ETH0, addr_info: undefined },
        { ...vlan, addr_info: undefined },
      ],
    );
    expect(both.map(({ name, vlan: tag, addresses }) => [name, tag, addresses])).toEqual([
      ['eth0.10', { parent: 'eth0', id: 10 }, ['10.10.0.1/24']],
      ['eth0', undefined, []],
    ]);
  });

  it('are up when the flag says so and the state does not object', () => {
    const up = (given: Json) => interfacesOf([{ ...ETH0, ...given }])[0]!.up;
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
      LO,
      ETH0,
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
    expect(interfacesOf([{ ...ETH0, addr_info }])[0]!.addresses).toEqual(['10.5.0.1/32', 'fd00::1/64']);
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
    [{ addr: [LO, 'eth0'] }, 'net.json: addr[1]: expected an object, got "eth0"'],
    [
      { addr: [{ ...ETH0, ifname: undefined }] },
      'net.json: addr[0].ifname: expected the name of an interface, got nothing',
    ],
    [{ addr: [ETH0, LO, ETH0] }, 'net.json: addr[2]: expected each interface once, got "eth0" again'],
    [
      { addr: [{ ...ETH0, link_type: undefined }] },
      'net.json: addr[0].link_type: expected a link type such as ether, got nothing',
    ],
    [
      { addr: [{ ...ETH0, address: '02:00' }] },
      'net.json: addr[0].address: expected a MAC such as 02:00:00:00:00:01, got "02:00"',
    ],
    [
      { addr: [{ ...ETH0, address: undefined }] },
      'net.json: addr[0].address: expected a MAC as a string, got undefined',
    ],
    [{ addr: [{ ...ETH0, mtu: '1500' }] }, 'net.json: addr[0].mtu: expected an MTU of 68 to 65536, got "1500"'],
    [{ addr: [{ ...ETH0, mtu: 67 }] }, 'net.json: addr[0].mtu: expected an MTU of 68 to 65536, got 67'],
    [{ addr: [{ ...ETH0, flags: 'UP' }] }, 'net.json: addr[0].flags: expected a list, got "UP"'],
    [
      { addr: [{ ...ETH0, addr_info: [{ family: 'inet', local: 'x', prefixlen: 24 }] }] },
      'net.json: addr[0].addr_info[0].local: expected an IPv4 address such as 10.0.0.1, got "x"',
    ],
    [
      { addr: [{ ...ETH0, addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 33 }] }] },
      'net.json: addr[0].addr_info[0].prefixlen: expected a prefix length of 0 to 32, got 33',
    ],
    [
      { addr: [{ ...ETH0, addr_info: [{ family: 'inet6', local: '10.0.0.1', prefixlen: 64 }] }] },
      'net.json: addr[0].addr_info[0].local: expected an IPv6 address such as fd00::1, got "10.0.0.1"',
    ],
    [{ addr: [vlan] }, 'net.json: addr[0].link: expected the name of an Ethernet interface, got "eth0"'],
    [
      { addr: [ETH0, { ...vlan, link: undefined }] },
      "net.json: addr[1].link: expected the name of the VLAN's parent, got nothing",
    ],
    [
      { addr: [ETH0], link: [{ ...vlan, linkinfo: { info_kind: 'vlan', info_data: { id: 4095 } } }] },
      'net.json: link[0].linkinfo.info_data.id: expected a VLAN ID of 1 to 4094, got 4095',
    ],
    [
      { addr: [ETH0, { ...vlan, linkinfo: { info_kind: 'vlan' } }] },
      'net.json: addr[1].linkinfo.info_data: expected an object, got nothing',
    ],
    [
      { addr: [ETH0, { ...vlan, linkinfo: { info_kind: 'vlan', info_data: { protocol: '802.1ad', id: 5 } } }] },
      'net.json: addr[1].linkinfo.info_data.protocol: expected 802.1Q, got "802.1ad": not handled by this version',
    ],
  ])('refuse %j', (value, message) => {
    expect(refusal(value)).toBe(message);
  });
});
