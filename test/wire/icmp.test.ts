import { describe, expect, it } from 'vitest';
import { isIcmpError } from '../../src/reference/packet/icmp.js';
import { hex } from '../support/packets.js';
import { AT, construct, core } from './header.js';

describe('ICMP', () => {
  it('deconstructs', () => {
    core.bytes.set(hex('0b00 f4ff 00000000'), AT);
    expect(core.call.icmpType(AT)).toBe(11);
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
});
