import { describe, expect, it } from 'vitest';
import { hex } from '../support/packets.js';
import { construct, core, deconstruct } from './header.js';

describe('TCP', () => {
  const SEGMENT = '9c40 0050 00000001 00000002 5012 faf0 1234 0000';

  it('deconstructs: control bits, checksum and both ports as loaded', () => {
    expect(deconstruct(hex(SEGMENT), core.call.readTcp, 3)).toEqual([0x12, 0x3412, 0x5000_409c]);
  });

  it('writes ports and checksum, and nothing else', () => {
    const made = construct([0x409c, 0x5000, 0x3412], core.call.writeTcp, 20);
    expect(made).toBe('9c400050a5a5a5a5a5a5a5a5a5a5a5a51234a5a5');
  });
});

describe('UDP', () => {
  it('deconstructs: checksum and both ports as loaded', () => {
    expect(deconstruct(hex('9c40 0035 0012 1234'), core.call.readUdp, 2)).toEqual([0x3412, 0x3500_409c]);
  });

  it('writes ports and checksum, and leaves the length', () => {
    expect(construct([0x409c, 0x3500, 0x3412], core.call.writeUdp, 8)).toBe('9c400035a5a51234');
  });
});
