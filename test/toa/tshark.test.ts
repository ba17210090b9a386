/** Wireshark's reading of what FullNAT puts into packets: options where they are, and nothing that it complains of. */
import { expect } from 'vitest';
import { answer, type Family, fullNat, NOW, read, request, send } from '../support/fullnat.js';
import { ACK, counting, ethernet, hex, PSH, SYN } from '../support/packets.js';
import { itByTshark, tsharkRows } from '../support/tshark.js';

const TOA = {
  4: { linux: 'fe089c410a000002', alibaba: 'fe089c410a000002', dpvs: 'fe089c410a000002' },
  6: { linux: `fe149c41fd00${'00'.repeat(13)}02`, alibaba: `fd149c41fd00${'00'.repeat(13)}02`, dpvs: '' },
} as const;
const STAMPS = '0101080a0000000100000002';

const framed = (family: Family, packet: Uint8Array): Uint8Array =>
  ethernet('02:00:00:00:01:11', '02:00:00:00:01:01', packet, family === 6 ? 0x86dd : 0x800);

/** Segments of a client as its server gets them, with TOA, and the options that each has. */
function told(family: Family, profile: 'linux' | 'alibaba' | 'dpvs'): { frame: Uint8Array; options: string }[] {
  const director = fullNat({ carry: 'toa', profile }, {}, ['tcp']);
  const syn = send(director, request(family, { seq: 1000, flags: SYN }), 'cli');
  const ack = read(syn.frame).seq! + 1;
  send(director, answer(family, read(syn.frame).sport, { seq: 70_000, ack }), 'srv');
  const toa = TOA[family][profile] || TOA[family].linux;
  return ['', STAMPS].flatMap((options) =>
    [0, 1, 100].flatMap((length) => {
      const words = { seq: 1001, ack: 70_001, flags: ACK | PSH, payload: counting(length), tcpOptions: hex(options) };
      const outcomes = director.send(request(family, words), 'cli', NOW);
      return outcomes.map(({ frame }) => ({ frame: framed(family, frame), options: toa + options }));
    }),
  );
}

const CASES = ([4, 6] as const).flatMap((family) =>
  (['linux', 'alibaba', 'dpvs'] as const).flatMap((profile) => told(family, profile)),
);

itByTshark('reads TOA as an option of TCP, with right checksums and lengths', () => {
  const fields = ['tcp.options', 'tcp.checksum.status', 'ip.checksum.status', '_ws.malformed', '_ws.expert.message'];
  const rows = tsharkRows(
    CASES.map(({ frame }) => frame),
    fields,
    ['tcp.check_checksum:TRUE', 'ip.check_checksum:TRUE', 'tcp.analyze_sequence_numbers:FALSE'],
  );
  const good = '1';
  expect(rows).toEqual(CASES.map(({ frame, options }) => [options, good, frame[12] === 8 ? good : '', '', '']));
});
