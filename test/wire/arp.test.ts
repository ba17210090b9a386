import { describe, expect, it } from 'vitest';
import { swap32 } from '../support/core.js';
import { hex, ip } from '../support/packets.js';
import { AT, core } from './header.js';

const REQUEST = '0001 0800 06 04 0001 020000000002 0a000002 000000000000 0a000064';

describe('ARP', () => {
  it('deconstructs', () => {
    core.bytes.set(hex(REQUEST), AT);
    expect(core.call.arpOperation(AT)).toBe(1);
    expect(swap32(core.call.arpSender(AT) >>> 0)).toBe(ip('10.0.0.2'));
    expect(swap32(core.call.arpTarget(AT) >>> 0)).toBe(ip('10.0.0.100'));
  });
});
