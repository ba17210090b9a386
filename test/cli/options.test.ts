import { describe, expect, test } from 'vitest';
import { CliError } from '../../src/cli/io.js';
import { type CommandSpec, helpText, parseOptions, wrap } from '../../src/cli/options.js';
import { run } from './support.js';

const SPEC: CommandSpec = {
  name: 'try',
  summary: 'a command for this test',
  usage: ['-i FILE', '--all'],
  options: [
    { name: 'infile', short: 'i', value: 'FILE', multiple: true, help: 'a file' },
    { name: 'all', help: 'everything there is, said in so many words that the line has to be broken somewhere' },
    { name: 'an-option-of-a-long-name', value: 'VALUE', help: 'its help stands below' },
  ],
};

function refusal(...argv: string[]): CliError {
  try {
    parseOptions(SPEC, argv);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseOptions', () => {
  test('gives values, the last value, and switches', () => {
    const options = parseOptions(SPEC, ['-i', 'a', '--infile=b', '--all']);
    expect(options.all('infile')).toEqual(['a', 'b']);
    expect(options.get('infile')).toBe('b');
    expect(options.has('all')).toBe(true);
    expect(options.has('help')).toBe(false);
    expect(options.get('an-option-of-a-long-name')).toBeUndefined();
  });

  test('takes - as a value, by either name', () => {
    expect(parseOptions(SPEC, ['-i', '-', '--infile', '-']).all('infile')).toEqual(['-', '-']);
  });

  test.each([
    [['--nothing'], '--nothing'],
    [['-i'], '--infile'],
    [['--all=yes'], '--all'],
    [['word'], 'word'],
  ])('refuses %j with exit code 2, naming it', (argv, named) => {
    const error = refusal(...argv);
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(named);
  });

  test('says what is missing', () => {
    expect(() => parseOptions(SPEC, []).need('infile')).toThrow('--infile is needed');
  });
});

describe('helpText', () => {
  test('names every option', () => {
    expect(helpText(SPEC)).toBe(`ipvs-wasm try: a command for this test

Usage: ipvs-wasm try -i FILE
       ipvs-wasm try --all

Options:
  -i, --infile FILE         a file
      --all                 everything there is, said in so many words that the
                            line has to be broken somewhere
      --an-option-of-a-long-name VALUE
                            its help stands below
  -h, --help                print this help
`);
  });

  test('fills up the lines of a paragraph, and leaves indented ones alone', () => {
    const notes = `
${'one two three '.repeat(6).trim()}
four
  an indented line that is
    as long as it likes to be
five
six


seven`;
    const text = helpText({ ...SPEC, options: [], notes });
    expect(text.slice(text.indexOf('this help\n') + 10)).toBe(`
${'one two three '.repeat(5)}one two
three four
  an indented line that is
    as long as it likes to be
five six

seven
`);
  });

  test.each(['rewrite', 'explain', 'verify', 'demo'])('of %s has no line that ends early', async (command) => {
    const { out } = await run(command, '--help');
    const lines = out.split('\n');
    lines.slice(0, -1).forEach((line, i) => {
      const [word = ''] = lines[i + 1]!.split(' ');
      const goesOn = line !== '' && word !== '' && !line.startsWith(' ') && !line.endsWith(':');
      if (goesOn) expect(line.length + 1 + word.length, line).toBeGreaterThan(80);
    });
  });

  test.each(['rewrite', 'explain', 'verify', 'demo'])('of %s fits in 80 columns', async (command) => {
    const { code, out, err } = await run(command, '--help');
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain(`Usage: ipvs-wasm ${command}`);
    expect(out).toContain('--help');
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});

test('wrap keeps words whole', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('immeasurable x', 4)).toEqual(['immeasurable', 'x']);
  expect(wrap('', 4)).toEqual(['']);
});
