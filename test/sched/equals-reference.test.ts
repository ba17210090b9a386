/** Picks of the core = picks of the reference, whatever happens to the list between them. */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { ReferenceDirector } from '../../src/reference/index.js';
import { BINARIES } from '../support/core.js';
import { dotted, ip, SYN, tcp } from '../support/packets.js';
import { properties } from '../support/property.js';
import { dest, KEY, service } from './lab.js';

const property = properties(import.meta.url);

const weight = fc.oneof(fc.constantFrom(0, 1, 1, 2, 3, 4, 6, 9), fc.nat(65_535));
const scheduler = fc.constantFrom('rr' as const, 'wrr' as const, 'wlc' as const, 'sh' as const);
const flags = fc.subarray(['sh-fallback' as const, 'sh-port' as const]);

const steps = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: fc.record({ client: fc.nat(255), port: fc.integer({ min: 21, max: 30 }) }) },
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
    { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(1000, 90_000) }) },
    { weight: 1, arbitrary: fc.record({ scheduler, flags }) },
  ),
  { maxLength: 60, size: 'max' },
);

describe.each(BINARIES)('%s', (binary) => {
  property(
    `the ${binary} core picks what the reference picks`,
    fc.property(scheduler, flags, steps, (name, given, life) => {
      const core = service(binary, name, given);
      const reference = new ReferenceDirector({ network: core.network });
      reference.addService({ ...KEY, scheduler: name, flags: given });
      const twins = [core, reference];
      let now = 0;
      for (const step of life) {
        if ('client' in step) {
          const source = dotted(ip('192.0.2.0') + step.client);
          const packet = tcp({ source, destination: KEY.address, sport: step.port, dport: 80, flags: SYN });
          const [a, b] = twins.map((director) => director.send(packet, 'cli', now)[0]);
          expect(a?.reason).toBe(b?.reason);
          const destOf = (
            list: readonly { clientAddress: string; clientPort: number; destAddress: string }[],
          ): string | undefined =>
            list.find(({ clientAddress, clientPort }) => clientAddress === source && clientPort === step.port)
              ?.destAddress;
          expect(destOf(core.connections(now))).toBe(destOf(reference.connections(now)));
        } else if ('what' in step) {
          const config = dest(
            step.n,
            step.what === 'deleteDest' ? {} : { weight: step.weight, upperThreshold: step.upperThreshold },
          );
          const results = twins.map((director) => {
            try {
              director[step.what](KEY, config);
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
          for (const director of twins) director.editService({ ...KEY, ...step });
        }
      }
    }),
  );
});
