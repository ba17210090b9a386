/**
 * DR and TUN send to the service's own port, as ipvsadm forces it.
 */
import { expect, it } from 'vitest';
import { fromClient, lab, request, SERVERS, TCP_KEY } from '../support/lab.js';

it.each(['dr', 'tun'] as const)('%s has the port of the service, whatever was given', (method) => {
  const director = lab([]);
  director.addDest(TCP_KEY, { address: SERVERS[0], port: 99, method });
  expect(() => director.addDest(TCP_KEY, { address: SERVERS[0], port: 98, method })).toThrow(/already exists/);
  const [outcome] = director.send(fromClient(request('tcp')), 'cli', 0);
  expect(outcome?.connection?.destPort).toBe(80);
  director.editDest(TCP_KEY, { address: SERVERS[0], port: 97, method, weight: 3 });
  expect(director.services().flatMap(({ dests }) => dests)).toMatchObject([{ port: 80, weight: 3 }]);
  director.deleteDest(TCP_KEY, { address: SERVERS[0] });
  expect(director.services().flatMap(({ dests }) => dests)).toEqual([]);
});

it('a frame that is no bytes is refused as such', () => {
  expect(() => lab([]).send('0200' as never, 'cli', 0)).toThrow(TypeError);
});
