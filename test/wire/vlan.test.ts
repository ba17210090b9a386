import { describe, expect, it } from 'vitest';
import { hex } from '../support/packets.js';
import { construct, core, deconstruct } from './header.js';

describe('802.1Q tag', () => {
  it('deconstructs: the identifier without priority and DEI, the type as loaded', () => {
    expect(deconstruct(hex('f123 0800'), core.call.readVlan, 2)).toEqual([0x123, 0x0008]);
    expect(deconstruct(hex('0fff 86dd'), core.call.readVlan, 2)).toEqual([0xfff, 0xdd86]);
    expect(deconstruct(hex('e000 0806'), core.call.readVlan, 2)).toEqual([0, 0x0608]);
  });

  it('constructs, with priority 0', () => {
    expect(construct([0x123, 0x0008], core.call.writeVlan, 4)).toBe('01230800');
    expect(construct([4094, 0x0608], core.call.writeVlan, 4)).toBe('0ffe0806');
  });
});
