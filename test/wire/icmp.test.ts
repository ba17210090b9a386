import { describe, expect, it } from 'vitest';
import { isIcmpError } from '../../src/reference/packet/icmp.js';
import { hex } from '../support/packets.js';
import { construct, core, deconstruct } from './header.js';

describe('ICMP', () => {
  it('deconstructs', () => {
    expect(deconstruct(hex('0b01 1234 000005dc'), core.call.readIcmp, 4)).toEqual([11, 1, 0x3412, 1500]);
  });

  it('constructs: checksum as loaded, second word in network order', () => {
    expect(construct([3, 4, 0x3412, 1500], core.call.writeIcmp, 8)).toBe('03041234000005dc');
  });

  it('no error may be sent about these types (RFC 1122 §3.2.2)', () => {
    const errors = [3, 4, 5, 11, 12];
    for (let type = 0; type < 256; type++) {
      const expected = errors.includes(type) || type > 18;
      expect(core.call.icmpIsError(type) !== 0, `type ${type}`).toBe(expected);
      expect(isIcmpError(type), `type ${type} in the reference`).toBe(expected);
    }
  });

  it('these types are about a connection', () => {
    const related = Array.from({ length: 256 }, (_, type) => type).filter((type) => core.call.icmpIsRelated(type));
    expect(related).toEqual([3, 4, 11]);
  });

  it('ICMPv6: errors are the types below 128 (RFC 4443 §2.1)', () => {
    for (let type = 0; type < 256; type++) expect(core.call.icmpv6IsError(type) !== 0, `type ${type}`).toBe(type < 128);
  });
});
