import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Director } from '../../src/index.js';
import { namesFromFiles, runIpvsadm } from '../../src/rules/index.js';
import { readTranscript, shellWords, writeTranscript } from './transcript.js';

const FOLDER = new URL('../fixtures/ipvsadm/', import.meta.url);
const TRANSCRIPTS = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
/** What Debian's files say of the few names in the transcripts. */
const NAMES = namesFromFiles('127.0.0.1 localhost', 'http 80/tcp www\ndomain 53/tcp\ndomain 53/udp\n');

describe('what the real ipvsadm printed', () => {
  it.each(TRANSCRIPTS)('%s', (file) => {
    const theirs = readTranscript(readFileSync(new URL(file, FOLDER), 'utf8'));
    using director = Director.createSync({ plan: { connections: 64, connections6: 64 }, seed: 0n });
    for (const exchange of theirs) {
      let output = '';
      const write = (text: string): void => {
        output += text;
      };
      const io = { out: write, err: write, input: () => exchange.input };
      const code = runIpvsadm(exchange.argv, director, io, { names: NAMES });
      expect({ command: shellWords(exchange.argv), output, code }).toEqual({
        command: shellWords(exchange.argv),
        output: exchange.output,
        code: exchange.code,
      });
    }
    expect(theirs.length).toBeGreaterThan(5);
    expect(readTranscript(writeTranscript(theirs))).toEqual(theirs);
  });
});
