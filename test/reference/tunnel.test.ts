import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decapsulatedEcn,
  decapsulateIpip,
  encapsulateIpip,
  IP_FLAG,
  outerEcn,
  parseAddress,
  parseIpv4,
  serialiseIpv4,
} from '../../src/reference/index.js';
import { ip, tcp } from './builders.js';
import { toHex } from './support.js';

const ENDS = { source: parseAddress('10.1.0.1'), destination: parseAddress('10.1.0.11'), identification: 7 };

describe('encapsulateIpip', () => {
  it.each([
    ['DF is copied and takes the identification away', IP_FLAG.dontFragment, true, { flags: 2, identification: 0 }],
    ['without DF the identification counts', 0, true, { flags: 0, identification: 7 }],
    ['DF is not copied when fragmenting is wanted', IP_FLAG.dontFragment, false, { flags: 0, identification: 7 }],
    ['the reserved bit is not copied', IP_FLAG.reserved, true, { flags: 0, identification: 7 }],
  ])('%s', (_, flags, copyDf, expected) => {
    expect(encapsulateIpip(ip({ flags }), { ...ENDS, copyDf })).toMatchObject(expected);
  });

  it('copies TTL and DSCP, and has no options', () => {
    const inner = ip({ ttl: 17, tos: 0xb8, options: Uint8Array.from([1, 1, 1, 1]) });
    const outer = encapsulateIpip(inner, { ...ENDS, copyDf: true });
    expect(outer).toMatchObject({
      ttl: 17,
      tos: 0xb8,
      protocol: 4,
      source: ENDS.source,
      destination: ENDS.destination,
    });
    expect(outer.options.length).toBe(0);
    expect(toHex(outer.payload)).toBe(toHex(serialiseIpv4(inner)));
  });

  it('shows CE as ECT(0), the rest as it is (RFC 3168 §9.1.1)', () => {
    expect([0, 1, 2, 3].map(outerEcn)).toEqual([0, 1, 2, 2]);
  });
});

describe('decapsulateIpip', () => {
  // RFC 6040 §4.2, figure 4: rows inner Not-ECT, ECT(0), ECT(1), CE; columns outer the same.
  const codes = { not: 0, ect0: 2, ect1: 1, ce: 3 } as const;
  const columns = ['not', 'ect0', 'ect1', 'ce'] as const;
  const figure = {
    not: ['not', 'not', 'not', 'drop'],
    ect0: ['ect0', 'ect0', 'ect1', 'ce'],
    ect1: ['ect1', 'ect1', 'ect1', 'ce'],
    ce: ['ce', 'ce', 'ce', 'ce'],
  } as const;

  describe.each(Object.entries(figure))('inner %s', (inner, row) => {
    it.each(columns.map((outer, i) => [outer, row[i]!]))('under outer %s: %s', (outer, expected) => {
      const [innerCode, outerCode] = [codes[inner as keyof typeof codes], codes[outer as keyof typeof codes]];
      const out = expected === 'drop' ? undefined : codes[expected as keyof typeof codes];
      expect(decapsulatedEcn(innerCode, outerCode)).toBe(out);
      const packet = tcp(2, [1, 2], { tos: 0xb8 | innerCode });
      const tunnelled = { ...encapsulateIpip(packet, { ...ENDS, copyDf: true }), tos: outerCode };
      const bytes = decapsulateIpip(tunnelled);
      if (out === undefined) expect(bytes).toBe('tunnel-ecn');
      else expect(toHex(bytes as Uint8Array)).toBe(toHex(serialiseIpv4({ ...packet, tos: 0xb8 | out })));
    });
  });

  it('keeps a wrong inner checksum exactly as wrong', () => {
    const packet = tcp(2, [1, 2], { tos: 2 });
    const right = parseIpv4(serialiseIpv4(packet)).checksum;
    const outer = { ...encapsulateIpip(packet, { ...ENDS, copyDf: true }), tos: 3 };
    const out = decapsulateIpip({ ...outer, payload: serialiseIpv4(packet, right - 5) }) as Uint8Array;
    const marked = parseIpv4(serialiseIpv4({ ...packet, tos: 3 })).checksum;
    expect(parseIpv4(out).checksum).toBe(marked - 5);
  });

  it('undoes encapsulation', () => {
    const words = fc.record({
      tos: fc.nat(255),
      flags: fc.nat(7),
      ttl: fc.nat(255),
      options: fc.constantFrom(0, 4, 40).map((length) => new Uint8Array(length).fill(1)),
    });
    fc.assert(
      fc.property(words, fc.nat(1400), fc.boolean(), (each, size, copyDf) => {
        const packet = tcp(0x10, [40000, 80], each, size);
        const out = decapsulateIpip(encapsulateIpip(packet, { ...ENDS, copyDf }));
        expect(toHex(out as Uint8Array)).toBe(toHex(serialiseIpv4(packet)));
      }),
      { numRuns: 1000 },
    );
  });

  const inner = serialiseIpv4(tcp(2, [1, 2]));
  it.each([
    ['nothing inside', new Uint8Array(0)],
    ['half a header', inner.slice(0, 19)],
    ['IP version 6', Uint8Array.from([0x65, ...inner.slice(1)])],
    ['IHL 4', Uint8Array.from([0x44, ...inner.slice(1)])],
    ['IHL beyond the end', Uint8Array.from([0x4f, ...inner.slice(1)])],
    ['a total length beyond the end', inner.slice(0, 39)],
    ['a total length below the header', Uint8Array.from([...inner.slice(0, 3), 19, ...inner.slice(4)])],
  ])('refuses %s', (_, payload) => {
    expect(decapsulateIpip(ip({ protocol: 4, payload }))).toBe('tunnel-malformed');
  });

  it('cuts bytes behind the inner packet', () => {
    const out = decapsulateIpip(ip({ protocol: 4, payload: Uint8Array.from([...inner, 9, 9]) }));
    expect(toHex(out as Uint8Array)).toBe(toHex(inner));
  });
});
