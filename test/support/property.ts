/**
 * Runs properties: many times, with a seed that is always printed, and with the command that replays a failure.
 *
 * `PROPERTY_RUNS` (default 1000), `PROPERTY_SEED` (a number, or `random`) and `PROPERTY_PATH` override; the path replays one failed case.
 *
 * @module
 */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, it } from 'vitest';
import { SEED } from './seed.js';

const { env } = process;

/** Runs of each property. */
export const RUNS = Number(env.PROPERTY_RUNS ?? 1000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs after which the test runner hears that the worker is alive: it waits for a minute, also on the slowest machine. */
const CHUNK = 250;
/** What the slowest machine may take for those, in milliseconds. */
const PATIENCE = 60_000;

/** Properties of one test file: `property('name', fc.property(…))` declares a test. */
export type Declare = <Ts>(name: string, property: fc.IProperty<Ts>) => void;

/** For the test file at `url` (its `import.meta.url`). Prints seed, runs and time once all of its tests are done. */
export function properties(url: string): Declare {
  const file = relative(ROOT, fileURLToPath(url));
  const done: string[] = [];
  afterAll(() => {
    if (done.length > 0) console.log(`${file}: seed ${SEED}; ${done.join('; ')}`);
  });
  return (name, property) => {
    it(name, { timeout: PATIENCE * Math.max(1, RUNS / CHUNK) }, async () => {
      const start = performance.now();
      const { PROPERTY_PATH: path } = env;
      for (let from = 0; from < RUNS; from += CHUNK) {
        // Each chunk has a seed of its own, so that a failure is replayed without the chunks before it.
        const seed = (SEED + from / CHUNK) | 0;
        const numRuns = Math.min(CHUNK, RUNS - from);
        const details = fc.check(property, {
          seed,
          numRuns,
          ...(path === undefined ? {} : { path, endOnFailure: true }),
        });
        if (details.failed) {
          const settings = `PROPERTY_SEED=${seed} PROPERTY_PATH=${details.counterexamplePath}`;
          // vitest takes the name for a pattern.
          const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
          const replay = `${settings} npx vitest run ${file} -t '${pattern}'`;
          throw new Error(`${fc.defaultReportMessage(details)}\n\nReplay: ${replay}`, { cause: details.errorInstance });
        }
        if (path !== undefined) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
      done.push(
        `${name}: ${path === undefined ? `${RUNS} runs` : 'replayed'}, ${Math.round(performance.now() - start)} ms`,
      );
    });
  };
}
