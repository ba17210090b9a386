import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureInput, FileSink, PcapngWriter, PcapWriter, readCapture } from '../../src/capture/index.js';
import type { CaptureSource } from '../../src/capture/source.js';
import { blocks, describe as describeInterface, enhanced, option, pattern, pcap, section } from './bytes.js';
import { chunked, collect } from './collect.js';

const RECORDS = Array.from({ length: 3000 }, (_, i) => ({ seconds: i, ticks: i, data: pattern(200 + (i % 100), i) }));
const { bytes, offsets } = pcap(true, 0xa1b23c4d, RECORDS);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'capture-'));
  writeFileSync(join(folder, 'plain.pcap'), bytes);
  writeFileSync(join(folder, 'packed.pcap.gz'), gzipSync(bytes));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('sources', () => {
  it('are files, plain or packed, chunks and streams of them, and memory', async () => {
    /** All that was read in one string: comparing thousands of packets field by field takes seconds. */
    const read = async (source: CaptureSource): Promise<string> => {
      const { packets, error } = await collect(source);
      expect(error).toBeUndefined();
      const rows = packets.map((p) => `${p.number} ${p.offset} ${p.timestamp} ${Buffer.from(p.data).toString('hex')}`);
      return rows.join('\n');
    };
    const expected = RECORDS.map(({ seconds, ticks, data }, i) => {
      const time = BigInt(seconds) * 1_000_000_000n + BigInt(ticks);
      return `${i + 1} ${offsets[i]} ${time} ${Buffer.from(data).toString('hex')}`;
    }).join('\n');
    const same = async (source: CaptureSource): Promise<void> => expect((await read(source)) === expected).toBe(true);
    await same(bytes);
    const plain = join(folder, 'plain.pcap');
    const packed = join(folder, 'packed.pcap.gz');
    await same(plain);
    await same(packed);
    await same(createReadStream(packed));
    await same(Readable.toWeb(createReadStream(plain)) as AsyncIterable<Uint8Array>);
    await same([bytes.subarray(0, 0), bytes.subarray(0, 3), bytes.subarray(3)]);
    const members = Buffer.concat([gzipSync(bytes.subarray(0, 1000)), gzipSync(bytes.subarray(1000))]);
    await same(members);
  });

  it('are closed when one reads no further, packed or not', async () => {
    for (const data of [bytes, gzipSync(bytes)]) {
      let closed = false;
      const source = (function* () {
        try {
          for (let at = 0; at < data.length; at += 1000) yield data.subarray(at, at + 1000);
        } finally {
          closed = true;
        }
      })();
      for await (const { number } of readCapture(source)) if (number === 2) break;
      expect(closed).toBe(true);
    }
  });

  it('are pipes with names', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const writer = spawn('sh', ['-c', 'cat "$1" > "$2"', 'sh', join(folder, 'packed.pcap.gz'), path]);
    expect((await collect(path)).packets).toHaveLength(RECORDS.length);
    writer.kill();
  });

  it('name the file in errors', async () => {
    const path = join(folder, 'cut.pcap');
    writeFileSync(path, bytes.subarray(0, 30));
    expect((await collect(path)).error!.message).toContain(`${path}: at byte 24, before the first packet: `);
    await expect(collect(join(folder, 'missing.pcap'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('keep what was unpacked before a damaged byte of gzip', async () => {
    const packed = gzipSync(Buffer.concat([bytes, bytes.subarray(24)]), { level: 0 });
    packed[packed.length - 3]! ^= 1;
    packed[packed.length - 7]! ^= 1;
    const { packets, error } = await collect(packed);
    expect(packets).toHaveLength(2 * RECORDS.length);
    expect(error).toMatchObject({ code: 'BAD_CAPTURE', packet: 2 * RECORDS.length });
    expect(error!.detail).toBe('gzip: incorrect data check');
    expect(error!.message).toContain(` of what it unpacks to, after packet ${2 * RECORDS.length}: gzip: `);
  });

  it('say that an offset counts what gzip unpacks to, and only then', async () => {
    const cut = bytes.subarray(0, 30);
    expect((await collect(gzipSync(cut))).error!.message).toContain(': at byte 24 of what it unpacks to, before the ');
    expect((await collect(cut)).error!.message).toContain(': at byte 24, before the first packet: ');
    expect((await collect(gzipSync(Buffer.from('none')))).error!.message).toContain(
      'at byte 0 of what it unpacks to, ',
    );
  });

  it('give every packet that the bytes before the damage of gzip unpack to', async () => {
    const many = Array.from({ length: 30_000 }, (_, i) => ({ seconds: i, ticks: (i * 7919) % 1e6, data: [i & 255] }));
    const whole = pcap(true, 0xa1b2c3d4, many).bytes;
    const packed = gzipSync(whole);
    for (let part = 1; part < 20; part++) {
      const damaged = new Uint8Array(packed);
      const at = Math.floor((packed.length * part) / 20);
      damaged.fill(0xff, at, at + 64);
      const intact = gunzipSync(packed.subarray(0, at), { finishFlush: constants.Z_SYNC_FLUSH });
      const expected = Math.floor((intact.length - 24) / 17);
      const { packets, error } = await collect(chunked(damaged, [5000]));
      // What the damaged bytes unpack to may be the first to be refused, as a record.
      expect(error, `damage at ${at}`).toBeDefined();
      expect(packets.length, `damage at ${at}`).toBeGreaterThanOrEqual(expected);
      const sound = packets.slice(0, expected).map(({ timestamp }) => timestamp);
      expect(sound).toEqual(
        many.slice(0, expected).map((r) => BigInt(r.seconds) * 10n ** 9n + BigInt(r.ticks) * 1000n),
      );
    }
  });
});

describe('a window', () => {
  it('of the caller must hold each record', async () => {
    const window = new Uint8Array(600);
    expect((await collect(bytes, { window })).error).toBeUndefined();
    const { packets, error } = await collect(bytes, { window: new Uint8Array(300) });
    const first = RECORDS.findIndex(({ data }) => data.length + 16 > 300);
    expect(packets).toHaveLength(first);
    expect(error).toMatchObject({ packet: first, detail: 'a record does not fit in the window of 300 bytes' });
  });

  it('of the scanner grows for a long block', async () => {
    const comment = option(true, 1, pattern(65000));
    const options = Array.from({ length: 20 }, () => comment);
    const { bytes } = blocks(section(true), describeInterface(true), enhanced(true, { ticks: 1n, data: [1], options }));
    const { packets } = await collect(bytes);
    expect(packets[0]!.comments).toHaveLength(20);
  });

  it('need not hold a block that is passed over', async () => {
    const unknown = enhanced(true, { ticks: 0n, data: pattern(5000) });
    unknown[0] = 99;
    const { bytes } = blocks(section(true), describeInterface(true), unknown, enhanced(true, { ticks: 1n, data: [1] }));
    const { packets, error } = await collect(bytes, { window: new Uint8Array(64) });
    expect(error).toBeUndefined();
    expect(packets).toHaveLength(1);
  });

  it('is read into in place', async () => {
    const window = new Uint8Array(4096);
    const input = await CaptureInput.open(join(folder, 'plain.pcap'), { window });
    const { scanner } = input;
    let count = 0;
    do {
      while (scanner.next()) {
        expect(scanner.buffer).toBe(window);
        expect(scanner.dataEnd - scanner.dataStart).toBe(RECORDS[count]!.data.length);
        expect(window[scanner.dataStart]).toBe(RECORDS[count]!.data[0]);
        expect(scanner.millis).toBe(count * 1000 + count / 1e6);
        count++;
      }
    } while (await input.fill());
    await input.close();
    expect(count).toBe(RECORDS.length);
  });
});

describe('sinks', () => {
  it('may be files', async () => {
    const path = join(folder, 'out.pcap');
    {
      using sink = new FileSink(path);
      const writer = new PcapWriter(sink.write);
      for (const { seconds, ticks, data } of RECORDS) {
        writer.write(seconds, ticks, Uint8Array.from(data), 0, data.length);
      }
      writer.flushSync();
    }
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
  });

  it('may be asynchronous, and get their chunks in order, each their own', async () => {
    const chunks: Uint8Array[] = [];
    let running = 0;
    const writer = new PcapWriter(
      async (chunk) => {
        expect(++running).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        chunks.push(chunk);
        running--;
      },
      { chunkLength: 20_000 },
    );
    for (const { seconds, ticks, data } of RECORDS) {
      writer.write(seconds, ticks, Uint8Array.from(data), 0, data.length);
    }
    await writer.flush();
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
    expect(() => writer.flushSync()).toThrow(TypeError);
  });

  it('may fail', async () => {
    const writer = new PcapngWriter(async () => {
      throw new Error('disk full');
    });
    writer.write(0, 0, Uint8Array.of(1), 0, 1);
    await expect(writer.flush()).rejects.toThrow('disk full');
    writer.write(0, 0, Uint8Array.of(1), 0, 1);
    await expect(writer.flush()).rejects.toThrow('disk full');
    const sync = new PcapWriter(() => {
      throw new Error('no reader');
    });
    expect(() => sync.flushSync()).toThrow('no reader');
  });

  it('get a whole capture when nothing is written', async () => {
    for (const Writer of [PcapWriter, PcapngWriter]) {
      const chunks: Uint8Array[] = [];
      const writer = new Writer((chunk) => void chunks.push(chunk.slice()));
      await writer.flush();
      await writer.flush();
      expect(await collect(chunks)).toEqual({ packets: [], error: undefined });
    }
  });
});

describe('writers refuse', () => {
  const data = new Uint8Array(300_000);

  it.each<[string, (writer: PcapWriter | PcapngWriter) => void]>([
    ['a range beyond the buffer', (w) => w.write(0, 0, data, 299_999, 300_001)],
    ['an empty range turned round', (w) => w.write(0, 0, data, 5, 4)],
    ['a packet that no reader takes', (w) => w.write(0, 0, data, 0, 262_145)],
    ['a second in nanoseconds', (w) => w.write(0, 1e9, data, 0, 1)],
    ['a time before 1970', (w) => w.write(-1, 0, data, 0, 1)],
    ['a time beyond the format', (w) => w.write(18_446_744_073, 0, data, 0, 1)],
    ['a link type that is not read', (w) => void w.addInterface({ linkType: 113 })],
  ])('%s', (_, act) => {
    for (const Writer of [PcapWriter, PcapngWriter]) {
      const chunks: Uint8Array[] = [];
      const writer = new Writer((chunk) => void chunks.push(chunk.slice()));
      expect(() => act(writer)).toThrow(RangeError);
      writer.write(1, 0, data, 0, 1);
      writer.flushSync();
    }
  });

  it('an interface that was not added, a second link type in a classic capture, a comment beyond 64 KiB', () => {
    const sink = (): void => {};
    expect(() => new PcapngWriter(sink).write(0, 0, data, 0, 1, 1, 1)).toThrow(RangeError);
    const classic = new PcapWriter(sink);
    classic.addInterface({ linkType: 101 });
    classic.addInterface({ linkType: 101 });
    expect(() => classic.addInterface({ linkType: 1 })).toThrow(RangeError);
    const comments = ['x'.repeat(65536)];
    expect(() => new PcapngWriter(sink).write(0, 0, data, 0, 1, 1, 0, { comments })).toThrow(RangeError);
  });
});

describe('standard input and output', () => {
  it('are the path -', () => {
    // The real streams of a process of its own, which runs the same files.
    const modules = join(folder, 'modules');
    const source = new URL('../../src/', import.meta.url);
    const names = readdirSync(new URL('capture/', source)).map((name) => `capture/${name}`);
    for (const name of ['errors.ts', ...names]) {
      const target = join(modules, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      const compiled = ts.transpileModule(readFileSync(new URL(name, source), 'utf8'), { compilerOptions: options });
      writeFileSync(target, compiled.outputText);
    }
    writeFileSync(join(modules, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(modules, 'copy.js'),
      `process.stdout.isTTY; // makes a pipe non-blocking, so that writes are partial or refused
       import { FileSink, PcapWriter, readCapture } from './capture/index.js';
       const writer = new PcapWriter(new FileSink('-').write);
       for await (const { timestamp, data } of readCapture('-')) {
         writer.write(Number(timestamp / 1000000000n), Number(timestamp % 1000000000n), data, 0, data.length);
       }
       await writer.flush();`,
    );
    const input = gzipSync(bytes);
    const options = { input, maxBuffer: 1 << 26 };
    const direct = spawnSync(process.execPath, [join(modules, 'copy.js')], options);
    expect(direct.stderr.toString()).toBe('');
    expect(Buffer.compare(direct.stdout, bytes)).toBe(0);
    const slow = spawnSync(
      'sh',
      ['-c', '"$1" "$2" | (sleep 0.3; cat)', 'sh', process.execPath, join(modules, 'copy.js')],
      options,
    );
    expect(Buffer.compare(slow.stdout, bytes)).toBe(0);
  }, 60_000);
});
