/** A network's text that is refused: the place where it is wrong. */
import { describe, expect, it } from 'vitest';
import { RuleError } from '../../src/rules/ipvsadm.js';
import { networkFromJson, parseNetwork } from '../../src/rules/network.js';
import { ETH0 } from './network.js';

describe('errors in a text', () => {
  const place = (text: string) => {
    try {
      parseNetwork(text, 'net.json');
    } catch (error) {
      expect(error).toBeInstanceOf(RuleError);
      const { file, line, column, message } = error as RuleError;
      expect(message.startsWith(`${file}:${line}:${column}: `)).toBe(true);
      return [line, column, message.replace(/^.*?: /, '')];
    }
    throw new Error('taken');
  };
  const text = (route: string) => `{\n "addr": [${JSON.stringify(ETH0)}],\n "route": [\n  ${route}\n ]\n}\n`;

  it('name file, line, column and path', () => {
    expect(place(text('{"dst":"10.0.0.0/33","dev":"eth0"}'))).toEqual([
      4,
      10,
      'route[0].dst: expected a prefix length of 0 to 32, got "10.0.0.0/33"',
    ]);
  });

  it('point at the entry when the value is missing', () => {
    expect(place(text('{"dst":"10.0.0.0/24"}'))).toEqual([
      4,
      3,
      'route[0].dev: expected the name of an interface, got nothing',
    ]);
    expect(place('{}')).toEqual([1, 1, 'expected "addr" (ip -j addr) or "link" (ip -j link), got neither']);
  });

  it('point at the first character that is not JSON', () => {
    expect(place(text('{"dst":"10.0.0.0/24",}'))).toEqual([4, 24, 'expected JSON, got "}"']);
    expect(place('{ "addr": [')).toEqual([1, 12, 'expected JSON, got the end of the file']);
  });
});

describe('values nested without end', () => {
  const brackets = 200_000;

  it.each([
    ['that are never closed', '['.repeat(brackets)],
    ['that are JSON', `${'['.repeat(brackets)}${']'.repeat(brackets)}`],
    ['within a network', `{"addr":\n${'['.repeat(brackets)}${']'.repeat(brackets)}}`],
    ['of objects', `${'{"a":'.repeat(brackets)}1${'}'.repeat(brackets)}`],
  ])('are refused where they are too deep: %s', (_, text) => {
    let thrown: unknown;
    try {
      parseNetwork(text, 'net.json');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RuleError);
    expect((thrown as RuleError).message).toMatch(
      /^net\.json:[12]:\d+: expected JSON of at most 1000 levels, got more$/,
    );
  });

  it('are refused as a value, too', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(brackets)}${']'.repeat(brackets)}`);
    expect(() => networkFromJson(deep)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  });
});
