/** Where a director of ours is not Linux 6.1 (docs/deviations.md): FTP's helper. */
import { describe, expect, test } from 'vitest';
import { left, SERVER_ISN, Session } from '../../support/ftp.js';

describe('FTP', () => {
  const passive = '227 (10,1,0,11,156,64';
  const text = (outcomes: ReturnType<Session['toClient']>): string => {
    const got = left(outcomes);
    return typeof got === 'string' ? got : got.text;
  };

  test('FTP at another port: answers are rewritten', () => {
    const session = new Session({ port: 2121, ftp: { ports: [2121] } }).open();
    session.toServer({ text: 'PASV\r\n' });
    expect(text(session.toClient({ text: `${passive})` }))).toBe('227 (10,0,0,100,156,64)');
  });

  test('FTP out of the window: adjusted as any', () => {
    const session = new Session().open();
    session.toServer({ text: 'PASV\r\n' });
    session.toClient({ text: `${passive})` });
    const far = SERVER_ISN + 0x4000_0000;
    expect(left(session.toClient({ seq: far, text: 'x' }))).toMatchObject({ seq: far + 1 });
  });

  test('FTP over IPv6: a right checksum is', () => {
    const session = new Session({ v6: true }).open();
    expect(left(session.toServer({ text: 'EPSV\r\n' }))).toMatchObject({ right: true });
  });

  test('FTP with selective acknowledgments at an odd place: the checksum is right', () => {
    const session = new Session().open();
    session.toServer({ text: 'PASV\r\n' });
    session.toClient({ text: `${passive})` });
    const edges = new Uint8Array(8);
    new DataView(edges.buffer).setUint32(0, SERVER_ISN + 100);
    new DataView(edges.buffer).setUint32(4, SERVER_ISN + 200);
    const got = left(session.toServer({ tcpOptions: Uint8Array.of(1, 5, 10, ...edges, 0) }));
    new DataView(edges.buffer).setUint32(0, SERVER_ISN + 99);
    new DataView(edges.buffer).setUint32(4, SERVER_ISN + 199);
    expect(got).toMatchObject({ right: true, options: Uint8Array.of(1, 5, 10, ...edges, 0) });
  });
});
