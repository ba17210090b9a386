/**
 * Entries as iproute2 prints them, and what is said of wrong ones.
 *
 * @module
 */
import { expect } from 'vitest';
import { IpvsError } from '../../src/errors.js';
import { networkFromJson } from '../../src/rules/network.js';

export type Json = Record<string, unknown>;

export const LO = {
  ifname: 'lo',
  flags: ['LOOPBACK', 'UP'],
  mtu: 65536,
  operstate: 'UNKNOWN',
  link_type: 'loopback',
  address: '00:00:00:00:00:00',
};
export const ETH0 = {
  ifname: 'eth0',
  flags: ['BROADCAST', 'UP', 'LOWER_UP'],
  mtu: 1500,
  operstate: 'UP',
  link_type: 'ether',
  address: '02:00:00:00:00:01',
  addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24, scope: 'global' }],
};

/** The message with which a network is refused. */
export function refusal(value: unknown): string {
  try {
    networkFromJson(value, 'net.json');
  } catch (error) {
    expect(error).toBeInstanceOf(IpvsError);
    expect((error as IpvsError).code).toBe('BAD_INPUT');
    return (error as IpvsError).message;
  }
  throw new Error(`taken: ${JSON.stringify(value)}`);
}
