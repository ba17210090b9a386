/** Picks of the core = picks of the reference, whatever happens to the list between them. */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import { flagsOf, SCHEDULER_NAMES } from '../../src/schedulers.js';
import { BINARIES } from '../support/core.js';
import { ACK, dotted, ip, SYN, tcp } from '../support/packets.js';
import { properties } from '../support/property.js';
import { dest, MARK, MARK_KEY, service } from './lab.js';

const property = properties(import.meta.url);

const weight = fc.oneof(fc.constantFrom(0, 1, 1, 2, 3, 4, 6, 9, 128), fc.nat(65_535));
const scheduler = fc
  .constantFrom(...SCHEDULER_NAMES)
  .chain((name) => fc.record({ scheduler: fc.constant(name), flags: fc.subarray([...flagsOf(name)]) }));
const seed = 7n;

const steps = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        client: fc.nat(255),
        port: fc.integer({ min: 21, max: 30 }),
        destination: fc.nat(3),
        establishes: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constantFrom('addDest' as const, 'editDest' as const),
        n: fc.nat(5),
        weight,
        upperThreshold: fc.constantFrom(0, 0, 0, 1, 3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('deleteDest' as const), n: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1000, 61_000, 90_000, 3_700_000, 90_000_000) }) },
    { weight: 1, arbitrary: scheduler },
  ),
  { maxLength: 60, size: 'max' },
);

describe.each(BINARIES)('%s', (binary) => {
  property(
    `the ${binary} core picks what the reference picks`,
    fc.property(scheduler, steps, (first, life) => {
      // By firewall mark: destination addresses are any.
      const core = service(binary, first.scheduler, first.flags, { key: MARK_KEY, seed });
      const reference = new ReferenceDirector({ network: core.network, seed });
      reference.addService({ ...MARK_KEY, ...first });
      const twins = [core, reference];
      let now = 0;
      for (const step of life) {
        if ('client' in step) {
          const source = dotted(ip('192.0.2.0') + step.client);
          const destination = dotted(ip('10.0.0.100') + step.destination);
          const ends = { source, destination, sport: step.port, dport: 80 };
          for (const flags of step.establishes ? [SYN, ACK] : [SYN]) {
            const packet = tcp({ ...ends, flags });
            const [a, b] = twins.map((director) => director.send(packet, 'cli', now, { mark: MARK })[0]);
            expect(a?.reason).toBe(b?.reason);
            const destOf = (
              list: readonly {
                clientAddress: string;
                clientPort: number;
                virtualAddress: string;
                destAddress: string;
              }[],
            ): string | undefined =>
              list.find(
                (one) =>
                  one.clientAddress === source && one.clientPort === step.port && one.virtualAddress === destination,
              )?.destAddress;
            expect(destOf(core.connections(now))).toBe(destOf(reference.connections(now)));
          }
        } else if ('what' in step) {
          const config = dest(
            step.n,
            step.what === 'deleteDest' ? {} : { weight: step.weight, upperThreshold: step.upperThreshold },
          );
          const results = twins.map((director) => {
            try {
              director[step.what](MARK_KEY, config);
              return 'done';
            } catch {
              return 'refused';
            }
          });
          expect(results[0]).toBe(results[1]);
        } else if ('wait' in step) {
          now += step.wait;
          for (const director of twins) director.advance(now);
        } else {
          for (const director of twins) director.editService({ ...MARK_KEY, ...step });
        }
      }
    }),
  );
});
