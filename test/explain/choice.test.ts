import { describe, expect, test } from 'vitest';
import type { DestInfo, ServiceInfo } from '../../src/director.js';
import { choiceText, hashSlot } from '../../src/explain/choice.js';

const STATS = { connections: 0n, inPackets: 0n, outPackets: 0n, inBytes: 0n, outBytes: 0n };

function dest(last: number, weight: number, active: number, inactive: number): DestInfo {
  return {
    address: `10.1.0.${last}`,
    port: 8080,
    method: 'nat',
    weight,
    upperThreshold: 0,
    lowerThreshold: 0,
    activeConnections: active,
    inactiveConnections: inactive,
    persistentConnections: 0,
    stats: STATS,
    rates: STATS,
  };
}

function service(scheduler: ServiceInfo['scheduler'], flags: ServiceInfo['flags'] = []): ServiceInfo {
  const dests = [dest(13, 3, 2, 5), dest(11, 1, 0, 7)];
  return { protocol: 'tcp', address: '10.0.0.100', port: 80, scheduler, flags, stats: STATS, rates: STATS, dests };
}

describe('hashSlot', () => {
  // The kernel's own values, for IPv4 addresses as 32-bit numbers.
  test.each([
    ['10.0.0.2', 137, 45],
    ['10.0.0.3', 235, 143],
    ['192.0.2.1', 50, 214],
    ['203.0.113.77', 57, 221],
  ])('of %s is %i, with port 40000 %i', (address, slot, withPort) => {
    expect(hashSlot(address, 0)).toBe(slot);
    expect(hashSlot(address, 40000)).toBe(withPort);
  });

  test.each([
    ['2001:db8::1', 63],
    ['fd00::a00:2', 68],
  ])('of %s is %i', (address, slot) => {
    expect(hashSlot(address, 0)).toBe(slot);
  });
});

describe('choiceText', () => {
  const KEY = { client: '10.0.0.2', clientPort: 40000, destination: '10.0.0.3' };
  const text = (...args: Parameters<typeof service>) => choiceText(service(...args), KEY);

  test('tells what each scheduler compared', () => {
    expect(text('rr')).toContain('10.1.0.13:8080, 10.1.0.11:8080');
    expect(text('wrr')).toContain('10.1.0.13:8080 weight 3, 10.1.0.11:8080 weight 1');
    expect(text('wlc')).toContain('10.1.0.13:8080 517/3, 10.1.0.11:8080 7/1');
    expect(text('sh')).toBe('hash of 10.0.0.2 is slot 137 of 256');
    expect(text('sh', ['sh-port'])).toBe('hash of 10.0.0.2 and port 40000 is slot 45 of 256');
    expect(text('lc')).toContain('10.1.0.13:8080 517, 10.1.0.11:8080 7');
    expect(text('sed')).toBe('the least (active + 1) / weight: 10.1.0.13:8080 3/3, 10.1.0.11:8080 1/1');
    expect(text('nq')).toContain('the first without an active connection, else the least (active + 1) / weight: ');
    expect(text('fo')).toContain('10.1.0.13:8080 weight 3, 10.1.0.11:8080 weight 1');
    expect(text('ovf')).toContain('10.1.0.13:8080 2/3, 10.1.0.11:8080 0/1');
    expect(text('twos')).toContain('10.1.0.13:8080 517/3, 10.1.0.11:8080 7/1');
    expect(text('dh')).toBe('hash of 10.0.0.3 is slot 235 of 256');
    expect(text('mh', ['mh-port'])).toBe('Maglev hash of 10.0.0.2 and port 40000, one of 4093 slots');
    expect(text('maglev')).toBe('Maglev hash of 10.0.0.2, one of 65537 slots');
    expect(text('lblc')).toContain('serves 10.0.0.3 already');
    expect(text('lblcr')).toContain('the least loaded that serves 10.0.0.3 already');
  });

  test('tells when there is no server', () => {
    expect(choiceText({ ...service('rr'), dests: [] }, KEY)).toBe('the service has no server');
  });
});
