import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineOf, locateJson, MAX_DEPTH, tooDeepAt } from '../../src/rules/json-position.js';

describe('tooDeepAt', () => {
  it('finds the first bracket beyond the limit, and none in strings', () => {
    const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
    expect(tooDeepAt(nested(MAX_DEPTH))).toBeUndefined();
    expect(tooDeepAt(`[${nested(MAX_DEPTH)}]`)).toBe(1 + (MAX_DEPTH / 2 - 1) * 6 + 1);
    expect(tooDeepAt(JSON.stringify(`\\"${'['.repeat(2 * MAX_DEPTH)}`))).toBeUndefined();
    expect(tooDeepAt('[]'.repeat(2 * MAX_DEPTH))).toBeUndefined();
    expect(locateJson(nested(MAX_DEPTH)).error).toBeUndefined();
  });
});

describe('locateJson', () => {
  it('finds each value by its path', () => {
    const text = '{ "route": [\n  { "dst": "default" },\n  [ 1, -2.5e3 ] ],\n "a": { "b": null } }';
    const { at, error } = locateJson(text);
    expect(error).toBeUndefined();
    expect([...at].map(([path, offset]) => [path, text.slice(offset, offset + 4)])).toEqual([
      ['', '{ "r'],
      ['route', '[\n  '],
      ['route[0]', '{ "d'],
      ['route[0].dst', '"def'],
      ['route[1]', '[ 1,'],
      ['route[1][0]', '1, -'],
      ['route[1][1]', '-2.5'],
      ['a', '{ "b'],
      ['a.b', 'null'],
    ]);
    expect(lineOf(text, at.get('route[0].dst')!)).toEqual({ line: 2, column: 12 });
    expect(lineOf(text, 0)).toEqual({ line: 1, column: 1 });
  });

  it('takes the last of two equal names, as JSON.parse does', () => {
    expect(locateJson('{"a":1,"a":2}').at.get('a')).toBe(11);
  });

  it.each([
    ['', 0],
    ['  ', 2],
    ['{"a":1,}', 7],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{"a" 1}', 5],
    ['{a:1}', 1],
    ['{} x', 3],
    ['"a\nb"', 0],
    ['01', 1],
    ['[tru]', 1],
    ['{"a":[}', 6],
  ])('finds where %j goes wrong', (text, error) => {
    expect(locateJson(text).error).toBe(error);
    expect(() => JSON.parse(text)).toThrow();
  });

  it('takes what JSON.parse takes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        expect(locateJson(text).error).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('finds every value', () => {
    const values = fc.object({
      key: fc.stringMatching(/^[a-z]\w*$/),
      maxDepth: 4,
      values: [fc.string(), fc.integer(), fc.double(), fc.boolean()],
    });
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const { at } = locateJson(text);
        let count = 0;
        const check = (part: unknown, path: string): void => {
          count++;
          const offset = at.get(path)!;
          if (typeof part !== 'object' || part === null) {
            const scalar = JSON.stringify(part);
            expect(text.slice(offset, offset + scalar.length)).toBe(scalar);
          } else if (Array.isArray(part)) {
            expect(text[offset]).toBe('[');
            for (const [index, item] of part.entries()) check(item, `${path}[${index}]`);
          } else {
            expect(text[offset]).toBe('{');
            for (const [key, item] of Object.entries(part)) check(item, path === '' ? key : `${path}.${key}`);
          }
        };
        check(JSON.parse(text), '');
        expect(at.size).toBe(count);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses what JSON.parse refuses', () => {
    const damaged = fc.tuple(
      fc.json({ maxDepth: 2 }),
      fc.nat(),
      fc.constantFrom('', ',', '"', '}', ']', '0', 'x', '\\', ':', '\n'),
    );
    fc.assert(
      fc.property(damaged, ([json, where, put]) => {
        const cut = where % (json.length + 1);
        const text = json.slice(0, cut) + put + json.slice(cut + 1);
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        const { error } = locateJson(text);
        expect(error === undefined).toBe(valid);
        if (error !== undefined) expect(error).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 3000 },
    );
  });
});
