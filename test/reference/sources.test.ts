/** The address that the director sends from where a route names none: seen in the outer header of a tunnel. */
import { describe, expect, it } from 'vitest';
import { formatAddress, parseIpv4, type ReferenceNetwork, serialiseIpv4 } from '../../src/reference/index.js';
import { director, udp } from './builders.js';

type Route = { dst: string; gateway?: string; prefsrc?: string };

const IN = { name: 'in', kind: 'raw', addresses: ['10.0.0.100/32', '10.6.0.1/24'] } as const;

/** Source of the tunnel to the server, out of an interface with these addresses. */
function source(
  routes: Route[],
  addresses: string[],
  others: readonly ReferenceNetwork['interfaces'][number][] = [IN],
): string {
  const network = {
    interfaces: [...others, { name: 'out', kind: 'raw', addresses } as const],
    routes: routes.map((route) => ({ dev: 'out', ...route })),
  };
  const [outcome] = director('tun', { network }).send(serialiseIpv4(udp([40000, 53])), 'in', 0);
  expect(outcome).toMatchObject({ verdict: 'forward', reason: 'tunnel-ipip', outInterface: 'out' });
  return formatAddress(parseIpv4(outcome!.frame).source);
}

describe('a route without a preferred source takes', () => {
  const far = ['192.0.2.1/24', '10.200.0.1/16', '198.51.100.1/24', '198.51.100.2/25'];
  const near = ['192.0.2.1/24', '10.1.0.9/32', '10.1.0.1/24', '10.1.0.2/16'];

  it.each([
    ['the first in the subnet of the gateway', { dst: 'default', gateway: '198.51.100.77' }, far, '198.51.100.1'],
    ['none by dst where there is a gateway', { dst: '10.1.0.0/24', gateway: '192.0.2.77' }, near, '192.0.2.1'],
    ['the first in the subnet of dst', { dst: '10.1.0.0/24' }, near, '10.1.0.1'],
    ['one of a larger subnet than dst', { dst: '10.1.0.11' }, near, '10.1.0.1'],
    ['none by the host bits of dst', { dst: '10.200.0.200/8' }, far, '192.0.2.1'],
    ['the first where none fits the gateway', { dst: 'default', gateway: '203.0.113.1' }, far, '192.0.2.1'],
    ['the first where none fits dst', { dst: 'default' }, far, '192.0.2.1'],
    ['no other than the one it names', { dst: 'default', prefsrc: '10.6.0.1' }, far, '10.6.0.1'],
  ])('%s', (_, route, addresses, expected) => {
    expect(source([route], addresses)).toBe(expected);
  });

  it('the address of another interface that is up where its own has none', () => {
    const others = [
      { name: 'lo', addresses: ['127.0.0.1/8'] },
      { name: 'down', kind: 'raw', addresses: ['10.5.0.1/24'], up: false },
      { ...IN, addresses: ['127.0.0.2/32', ...IN.addresses] },
      { name: 'more', kind: 'raw', addresses: ['10.7.0.1/24'] },
    ] as const;
    expect(source([{ dst: '10.7.0.0/8' }], [], others)).toBe('10.0.0.100');
  });

  it('none where the host has none', () => {
    const network = { interfaces: [{ name: 'in', kind: 'raw' } as const], routes: [{ dst: 'default', dev: 'in' }] };
    const packet = udp([40000, 53], { ttl: 1, destination: '192.0.2.1' });
    const [, error] = director('tun', { network }).send(serialiseIpv4(packet), 'in', 0);
    expect(formatAddress(parseIpv4(error!.frame).source)).toBe('0.0.0.0');
  });
});

it('a route that an address implies has that address', () => {
  expect(source([], ['192.0.2.1/24', '10.1.0.7/24', '10.1.0.8/24'])).toBe('10.1.0.7');
});
