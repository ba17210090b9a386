import { describe, expect, it } from 'vitest';
import { hex } from '../support/packets.js';
import { AT, construct, core, deconstruct } from './header.js';

const FRAME = '020000000102 020000000304 0800';

describe('Ethernet', () => {
  it('deconstructs', () => {
    // The type as loaded; no group; destination at 0, source at 6.
    expect(deconstruct(hex(FRAME), core.call.readEthernet, 4)).toEqual([0x0008, 0, 0, 6]);
  });

  it('constructs', () => {
    core.bytes.set(hex('aabbccddeeff'), 0x1800);
    core.bytes.set(hex('112233445566'), 0x1810);
    expect(construct([0x0608, 0x1800, 0x1810], core.call.writeEthernet, 14)).toBe('aabbccddeeff1122334455660806');
  });

  it.each([
    ['ffffffffffff', 1],
    ['01005e000001', 1],
    ['030000000000', 1],
    ['fe0000000000', 0],
    ['020000000001', 0],
  ])('a frame to %s goes to a group: %i', (mac, expected) => {
    expect(deconstruct(hex(`${mac} 020000000304 0800`), core.call.readEthernet, 2)[1]).toBe(expected);
  });
});

describe('MACs', () => {
  it('are equal when all six bytes are', () => {
    const mac = hex('aabbccddeeff');
    core.bytes.set(mac, AT);
    core.bytes.set(mac, AT + 16);
    expect(core.call.macsEqual(AT, AT + 16)).toBe(1);
    for (let i = 0; i < 6; i++) {
      core.bytes.set(mac, AT + 16);
      core.bytes[AT + 16 + i] = (mac[i] as number) ^ 1;
      expect(core.call.macsEqual(AT, AT + 16), `byte ${i}`).toBe(0);
    }
  });
});
