import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('every row of docs/deviations.md names a test of this folder', () => {
  const document = readFileSync(new URL('../../../docs/deviations.md', import.meta.url), 'utf8');
  const folder = new URL('./', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts'));
  const tests = files.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
  const rows = document.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what'));
  expect(rows.length).toBeGreaterThan(8);
  for (const row of rows) {
    const name = row.split('|').at(-2)?.trim() ?? '';
    expect(tests, row).toContain(`test('${name}`);
  }
});
