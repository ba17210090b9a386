/** The commands ipvsadm, ipvsadm-save and ipvsadm-restore on state files. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { run, scenarioWords, scratch } from './support.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

const stateFile = () => join(scratch(), 'lvs.state');

describe('ipvsadm --state FILE', () => {
  it('makes the file, and goes on from it', async () => {
    const file = stateFile();
    const ipvsadm = (...words: string[]) => run('ipvsadm', '--state', file, ...words);
    expect(await ipvsadm('-A', '-t', '10.0.0.100:80', '-s', 'rr')).toEqual({ code: 0, out: '', err: '' });
    expect(await ipvsadm('-a', '-t', '10.0.0.100:80', '-r', '10.1.0.11:8080', '-m')).toMatchObject({ code: 0 });
    expect((await ipvsadm('-S', '-n')).out).toBe(
      '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:8080 -m -w 1\n',
    );
    expect(await ipvsadm('-A', '-t', '10.0.0.100:80')).toEqual({ code: 255, out: '', err: 'Service already exists\n' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('looking makes no file, and says that there is none', async () => {
    const file = stateFile();
    const err = `ipvs-wasm: ${file}: no such state, so this is an empty director's\n`;
    expect(await run('ipvsadm', '-Ln', `--state=${file}`)).toMatchObject({ code: 0, err });
    expect(await run('ipvsadm-save', '--state', file)).toEqual({ code: 0, out: '', err });
    expect(existsSync(file)).toBe(false);
  });

  it('lists as JSON', async () => {
    const file = stateFile();
    await run('ipvsadm', '--state', file, '-A', '-f', '7');
    const { out } = await run('ipvsadm', '--state', file, '-L', '--json');
    expect(JSON.parse(out)).toMatchObject({ services: [{ fwmark: 7, family: 4, scheduler: 'wlc', dests: [] }] });
    expect(await run('ipvsadm', '--state', file, '--json')).toMatchObject({ code: 0, out });
  });

  it('needs a file, and one that is a state', async () => {
    expect(await run('ipvsadm', '-Ln')).toMatchObject({ code: 2, err: expect.stringMatching(/--state FILE/) });
    const file = stateFile();
    writeFileSync(file, 'no state');
    expect(await run('ipvsadm', '--state', file, '-Ln')).toMatchObject({ code: 2, err: expect.stringContaining(file) });
    expect(readFileSync(file, 'utf8')).toBe('no state');
  });

  it('does not take another file for one that was forgotten', async () => {
    const file = stateFile();
    vi.stubEnv('IPVS_WASM_STATE', file);
    const ran = await run('ipvsadm', '-A', '-t', '1.1.1.1:80', '--state').finally(() => vi.unstubAllEnvs());
    expect(ran).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--state needs a FILE') });
    expect(existsSync(file)).toBe(false);
  });

  it('replaces the file behind a link, and leaves nothing beside it', async () => {
    const [folder, elsewhere] = [scratch(), scratch()];
    const [link, file] = [join(folder, 'link'), join(elsewhere, 'lvs.state')];
    await run('ipvsadm', '--state', file, '-A', '-f', '7');
    symlinkSync(file, link);
    await run('ipvsadm', '--state', link, '-A', '-f', '8');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect((await run('ipvsadm', '--state', file, '-Sn')).out).toBe('-A -f 7 -s wlc\n-A -f 8 -s wlc\n');
    expect([readdirSync(folder), readdirSync(elsewhere)]).toEqual([['link'], ['lvs.state']]);
  });

  it('loses nothing when several change it at once', async () => {
    const file = stateFile();
    const marks = Array.from({ length: 6 }, (_, i) => String(i + 1));
    const ended = marks.map((mark) =>
      once(spawn(process.execPath, [MAIN, 'ipvsadm', '--state', file, '-A', '-f', mark]), 'exit'),
    );
    expect((await Promise.all(ended)).map(([code]) => code)).toEqual(marks.map(() => 0));
    const saved = (await run('ipvsadm', '--state', file, '-Sn')).out.trim().split('\n');
    expect(saved.sort()).toEqual(marks.map((mark) => `-A -f ${mark} -s wlc`));
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it('has a help of its own beside that of ipvsadm', async () => {
    expect((await run('ipvsadm', '--help')).out).toContain('--state FILE');
    expect((await run('ipvsadm', '--state', stateFile(), '-h')).out).toContain('ipvsadm -D SERVICE');
  });
});

describe('rewrite --state FILE', () => {
  it('leaves connections and counters', async () => {
    const { folder, words } = scenarioWords('nat-tcp');
    const [file, out] = [join(folder, 'lvs.state'), join(folder, 'out.pcapng')];
    expect(await run('rewrite', '-q', ...words, '-o', out, '--state', file)).toMatchObject({ code: 0, err: '' });
    const listed = (await run('ipvsadm', '--state', file, '-Ln', '--stats', '--exact')).out;
    expect(listed).toMatch(/^TCP {2}10\.0\.0\.100:80 +[1-9]/m);
    expect((await run('ipvsadm', '--state', file, '-Lnc')).out).toMatch(/^TCP \d\d:\d\d +\w+ +10\.0\.0\.\d+:\d+ /m);
  });
});

describe('the program', () => {
  it('is ipvsadm when a link says so, and restores from standard input', () => {
    const folder = scratch();
    const env = { ...process.env, IPVS_WASM_STATE: join(folder, 'lvs.state') };
    for (const name of ['ipvsadm', 'ipvsadm-save', 'ipvsadm-restore']) symlinkSync(MAIN, join(folder, name));
    const program = (name: string, words: string[], input = '') =>
      spawnSync(process.execPath, [join(folder, name), ...words], { env, input, encoding: 'utf8' });
    const rules = '-A -t 10.0.0.100:80 -s rr\n-a -t 10.0.0.100:80 -r 10.1.0.11:80 -g -w 1\n';
    expect(program('ipvsadm-restore', [], `# saved\n${rules}`)).toMatchObject({ status: 0, stderr: '' });
    expect(program('ipvsadm-save', ['-n'])).toMatchObject({ status: 0, stdout: rules });
    const refused = program('ipvsadm', ['-R'], '-D -t 10.0.0.100:80\n-A -t x\n');
    expect(refused).toMatchObject({
      status: 2,
      stderr: 'illegal virtual server address[:port] specified\nipvs-wasm: standard input:2: refused: -A -t x\n',
    });
    const listed = execFileSync(process.execPath, [join(folder, 'ipvsadm'), '-S'], { env, encoding: 'utf8' });
    expect(listed).toBe('');
  });
});
