/** The lock that commands hold while they change a file. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withLock } from '../../src/cli/lock-file.js';
import { scratch } from './support.js';

const newFile = () => join(scratch(), 'lvs.state');

it('holds this process while the work is done, and nobody after it, whatever came of it', () => {
  const file = newFile();
  expect(withLock(file, () => readFileSync(`${file}.lock`, 'latin1'))).toBe(`${process.pid}\n`);
  const fail = () => {
    throw new Error('no');
  };
  expect(() => withLock(file, fail)).toThrow('no');
  expect(existsSync(`${file}.lock`)).toBe(false);
});

it('names the process that holds it', () => {
  const file = newFile();
  const message = `${file}: is locked by process ${process.pid} (${file}.lock)`;
  withLock(file, () => expect(() => withLock(file, () => undefined, 50)).toThrow(message));
});

it('says when that process is no more, and leaves its lock alone', () => {
  const file = newFile();
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  writeFileSync(`${file}.lock`, `${pid}\n`);
  expect(() => withLock(file, () => undefined)).toThrow(
    `${file}: is locked by process ${pid}, which is no more: remove ${file}.lock`,
  );
  expect(existsSync(`${file}.lock`)).toBe(true);
});

it('is no lock of ours when it holds no process', () => {
  const file = newFile();
  writeFileSync(`${file}.lock`, '');
  expect(() => withLock(file, () => undefined, 0)).toThrow(
    `${file}: is locked: if nothing else changes it, remove ${file}.lock`,
  );
});
