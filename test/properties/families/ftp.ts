/**
 * What the two ends of an FTP control connection say to each other: commands that Linux's helper knows, or nearly.
 *
 * @module
 */
import { segment } from '../../support/ftp.js';
import { ACK, FIN, hex, RST, SYN } from '../../support/packets.js';
import type { Choices } from './choices.js';
import { familyOf, HOSTS } from './hosts.js';
import { ipWords } from './packets.js';

interface Ends {
  clientAddress: string;
  clientPort: number;
  virtualAddress: string;
  virtualPort: number;
  destAddress: string;
  destPort: number;
}

const PASSIVE_PORT = 40_000;

function commands(client: string, number: number): string[] {
  return [
    'PASV\r\n',
    'EPSV\r\n',
    `PORT ${client.replaceAll('.', ',')},3,232\r\n`,
    `EPRT |${number}|${client}|1000|\r\n`,
    `epsv ${number}\r\n`,
    `EPSV ${3 - number}\r\n`,
    'NOOP\r\npasv\r\n',
    'EPSV ALL\r\n',
    `EPRT !${number}!${client}!40000!\r\n`,
    `EPRT |${number}|${client}|0|\r\n`,
    'PORT 10,0,0,2,3',
    'PORT 10,0,0,2,0,0\r\n',
    'PORT 266,0,256,2,3,488\r\n',
    'USER x\r\n',
  ];
}

function answers(server: string, other: string, number: number): string[] {
  const quad = (address: string) => address.replaceAll('.', ',');
  return [
    `227 Entering Passive Mode (${quad(server)},156,64).\r\n`,
    `229 Entering Extended Passive Mode (|||${PASSIVE_PORT}|)\r\n`,
    `227 ${quad(other)},156,64\r\n`,
    `229 (|${number}|${other}|${PASSIVE_PORT}|)\r\n`,
    `229 (!!!21!)`,
    `227 (${quad(server)},156,640).\r\n`,
    `227 (${quad(server)},156,64`,
    `227 (${quad(server)},300,300).\r\n`,
    '229 (|||105536|)\r\n',
    '229 (|||65536|)\r\n',
    '226 done\r\n',
  ];
}

/** Options of TCP: none, selective acknowledgments, and what cannot be read. */
const OPTIONS = [
  '',
  '',
  '',
  '',
  '0101050a0000138800001400',
  '050a00001388000014000101',
  '01010500',
  '0101050a',
  '00ffffff',
].map(hex);
const FLAGS = [ACK | 8, ACK | 8, ACK | 8, ACK | 8, ACK, ACK, SYN | ACK, FIN | ACK, RST, RST | ACK, 0];

/** A piece of the conversation, most often all that it takes. */
export function conversation(choices: Choices, ends: Ends): { packet: Uint8Array; wire: 'cli' | 'srv' }[] {
  const { clientAddress, clientPort, virtualAddress, virtualPort, destAddress, destPort } = ends;
  const family = familyOf(clientAddress);
  const number = family === 4 ? 1 : 2;
  // Later conversations go on behind earlier ones.
  const [mine, theirs] = [1000, 5000 + choices.below(4) * 1000];
  const toServer = (text: string, ack: number) => ({
    ...{ source: clientAddress, sport: clientPort, destination: virtualAddress, dport: virtualPort },
    ...{ text, seq: mine, ack },
  });
  const toClient = (text: string, seq: number) => ({
    ...{ source: destAddress, sport: destPort, destination: clientAddress, dport: clientPort },
    ...{ text, seq, ack: mine },
  });
  const command = choices.of(commands(clientAddress, number));
  const answer = choices.of(answers(destAddress, choices.of(HOSTS[family].servers), number));
  const behind = theirs + answer.length;
  const spoken = [
    toServer('', theirs),
    toServer(command, theirs),
    toClient(answer, theirs),
    toServer('', behind + choices.of([0, 1, 2, 40])),
    toClient(choices.of(['', '226 done\r\n', answer]), choices.of([behind, theirs, theirs - 10])),
  ];
  return spoken
    .filter(() => !choices.once(6))
    .map((words) => {
      const wrong = choices.once(15) ? { checksum: 0x1234 } : {};
      const { ttl, df, ...ip } = ipWords(choices, words.source, words.destination, true);
      const all = { ...ip, ...words, ttl: 64, flags: choices.of(FLAGS), tcpOptions: choices.of(OPTIONS), ...wrong };
      return {
        packet: segment(all),
        wire: words.sport === clientPort && words.source === clientAddress ? 'cli' : 'srv',
      };
    });
}
