import fc from 'fast-check';
import { expect, it } from 'vitest';
import { flowPort } from '../../src/reference/flow-port.js';
import { ENDS, packet, tcp, udp } from './builders6.js';

const { client, vip } = ENDS[4];

it('a flow keeps its port, whatever it carries', () => {
  expect(flowPort(tcp([client, 1], [vip, 80], 2))).toBe(flowPort(tcp([client, 1], [vip, 80], 16, 99)));
  expect(flowPort(packet(client, vip, 1, Uint8Array.of(3, 1)))).toBe(
    flowPort(packet(client, vip, 1, Uint8Array.of(11, 0))),
  );
});

it('other flows have others', () => {
  const flows = [
    tcp([client, 1], [vip, 80], 2),
    tcp([client, 2], [vip, 80], 2),
    tcp([client, 1], [vip, 81], 2),
    udp([client, 1], [vip, 80]),
    tcp(['10.0.0.3', 1], [vip, 80], 2),
    tcp([client, 1], ['10.0.0.101', 80], 2),
    tcp([ENDS[6].client, 1], [ENDS[6].vip, 80], 2),
    packet(client, vip, 50, Uint8Array.of(0, 0, 0, 1)),
    packet(client, vip, 50, Uint8Array.of(0, 0, 0, 2)),
    packet(client, vip, 51, Uint8Array.of(6, 4, 0, 0, 0, 0, 0, 1)),
    packet(client, vip, 51, Uint8Array.of(6, 4, 0, 0, 0, 0, 0, 2)),
  ];
  expect(new Set(flows.map(flowPort)).size).toBe(flows.length);
});

it('is one of those that Linux gives to clients', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.nat(255), (from, to, last) => {
      const port = flowPort(udp([`10.0.0.${last}`, from], [vip, to]));
      expect(port).toBeGreaterThanOrEqual(32_768);
      expect(port).toBeLessThanOrEqual(60_999);
    }),
  );
});
