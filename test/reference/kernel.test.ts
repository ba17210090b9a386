/**
 * The reference against the scenarios of a real Linux 6.1 director, frame by frame: those in the fixtures, and those in the
 * folder that `KERNEL_CAPTURES` names, where all that the reference handles pass (`nat-*`, `dr-*`, `tun-*`, …).
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { reportText } from '../../src/cli/verify.js';
import { ReferenceDirector } from '../../src/reference/index.js';
import type { MakeTarget } from '../../src/scenario/verify.js';
import { verifyScenario } from '../../src/scenario/verify.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/kernel/', import.meta.url));
const folders = [FIXTURES, process.env.KERNEL_CAPTURES ?? []].flat();

/** What the reference handles; the others are about other schedulers, persistence, or the connection table. */
const HANDLED = /^(nat-|nat6|dr-|dr6|ftp-|tun-|tun6-|tunnel-input|partial-|sctp-|ah-esp|bypass|sched6?-|load-)/;

const scenarios = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => HANDLED.test(name))
    .map((name) => join(folder, name)),
);

/** Scenarios clear nothing, and a kernel has no local addresses. */
const unused = (): never => {
  throw new Error('not used by any scenario');
};

const reference: MakeTarget = (network) =>
  Object.assign(new ReferenceDirector({ network, ipId: 0x1234 }), {
    clear: unused,
    addLocalAddress: unused,
    deleteLocalAddress: unused,
  });

it.each(scenarios)('%s', async (folder) => {
  const result = await verifyScenario(folder, reference);
  expect(result.passed, reportText(result)).toBe(true);
  expect(result.matched).toBeGreaterThan(0);
  expect(result.matched).toBe(result.expected);
});
