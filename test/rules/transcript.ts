/**
 * Transcripts of ipvsadm: `$ ipvsadm WORDS`, `< LINE` for each line of its standard input, what it printed on both streams
 * behind `| `, and `=> CODE` when its exit code was not 0.
 *
 * @module
 */

/** A command line, and what it did. */
export interface Exchange {
  /** The words after `ipvsadm`. */
  readonly argv: readonly string[];
  readonly input: string;
  readonly output: string;
  readonly code: number;
}

/** Reads a transcript. */
export function readTranscript(text: string): Exchange[] {
  const exchanges: { argv: string[]; input: string; output: string; code: number }[] = [];
  for (const line of text.split('\n')) {
    const rest = line.slice(2);
    const last = exchanges.at(-1);
    if (line.startsWith('$ ')) exchanges.push({ argv: wordsOf(rest).slice(1), input: '', output: '', code: 0 });
    else if (line.startsWith('< ') && last) last.input += `${rest}\n`;
    else if (line.startsWith('| ') && last) last.output += `${rest}\n`;
    else if (line.startsWith('=> ') && last) last.code = Number(rest);
    else if (line !== '' && !line.startsWith('#')) throw new Error(`not of a transcript: ${line}`);
  }
  return exchanges;
}

/** Writes a transcript. */
export function writeTranscript(exchanges: readonly Exchange[]): string {
  return exchanges
    .map(({ argv, input, output, code }) => {
      const end = code === 0 ? '' : `=> ${code}\n`;
      return `$ ${shellWords(argv)}\n${marked('<', input)}${marked('|', output)}${end}`;
    })
    .join('');
}

/** The command line as a shell takes it. */
export function shellWords(argv: readonly string[]): string {
  return ['ipvsadm', ...argv].map((word) => (/^[\w.,:=/@%+-]+$/.test(word) ? word : `'${word}'`)).join(' ');
}

function wordsOf(line: string): string[] {
  return Array.from(line.matchAll(/'([^']*)'|\S+/g), ([word, quoted]) => quoted ?? word);
}

function marked(mark: string, text: string): string {
  return text.replaceAll(/(.*)\n/g, `${mark} $1\n`);
}
