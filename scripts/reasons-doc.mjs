/** Writes docs/reasons.md from the table in src/reasons.ts; with --check, only says whether it is up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { REASONS } = await import(new URL('../dist/reasons.js', import.meta.url));
const file = fileURLToPath(new URL('../docs/reasons.md', import.meta.url));

const MEANING = {
  forward: 'send it on the out interface',
  local: "for the host's own stack",
  pass: 'not ours: the host does as it likes; the packet is unchanged',
  held: 'kept by the director: the rest of its datagram brings it out again',
  drop: 'discard it',
};

const sections = Object.entries(MEANING).map(([verdict, meaning]) => {
  const rows = REASONS.filter((reason) => reason.verdict === verdict).map(
    ({ name, text }) => `| \`${name}\` | ${text} |`,
  );
  return `## ${verdict}: ${meaning}\n\n| reason | why |\n|---|---|\n${rows.join('\n')}\n`;
});
const text = `# Verdicts and reasons

Every frame gets a verdict and one reason. The names are stable; \`director.counters()\` counts them.
\`npm run reasons\` writes this file from \`src/reasons.ts\`; \`test/director/reasons.test.ts\` produces each of them.

${sections.join('\n')}`;

if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== text) {
    console.error('docs/reasons.md: not what src/reasons.ts says; run npm run reasons');
    process.exit(1);
  }
} else {
  writeFileSync(file, text);
}
