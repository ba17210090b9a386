/**
 * What `-h` and `-v` print.
 *
 * @module
 */
import { IPVS_VERSION } from './listings.js';
import { type Dialect, OPTION_SPECS } from './options.js';

export const VERSION_TEXT = `ipvsadm of ipvs-wasm (grammar of ipvsadm 1.31, IPVS v${IPVS_VERSION})\n`;

const USAGE = `Usage:
  PROGRAM -A|-E SERVICE [-s SCHEDULER] [-b FLAGS] [-p [SECONDS]] [-M NETMASK] [--pe sip] [-o] [FULLNAT]
  PROGRAM -D SERVICE
  PROGRAM -a|-e SERVICE -r SERVER [-m|-g|-i [TUNNEL]|--fullnat|--snat] [-w WEIGHT] [-x UPPER] [-y LOWER]
  PROGRAM -d SERVICE -r SERVER
  PROGRAM --add-laddr|--del-laddr SERVICE --laddr ADDRESS
  PROGRAM --get-laddr [-n] [SERVICE]
  PROGRAM -C
  PROGRAM -S [-n]
  PROGRAM -R < RULES
  PROGRAM -Z [SERVICE]
  PROGRAM --set TCP TCPFIN UDP
  PROGRAM -L [-n] [SERVICE] [--stats|--rate|--thresholds|--persistent-conn|--tun-info] [--exact] [--nosort]
  PROGRAM -L [-n] -c [--persistent-conn]
  PROGRAM -L --timeout|--daemon

  SERVICE  -t|-u|--sctp-service ADDRESS[:PORT], or -f MARK [-6]
  SERVER   ADDRESS[:PORT], IPv6 with a port in brackets: [fd00::1]:80
  TUNNEL   [--tun-type ipip|gue|gre] [--tun-port PORT] [--tun-nocsum|--tun-csum|--tun-remcsum]
  FULLNAT  [--profile linux|alibaba|dpvs] [--toa|--proxy-protocol v1|v2|--uoa option|protocol]
           [--synproxy enable|disable]

Options:
`;

/** The help, `program` as it was called. */
export function helpText(program: string, dialect: Dialect = 'ipvsadm'): string {
  const rows = OPTION_SPECS[dialect]
    .filter(({ letter }) => letter !== '')
    .map(
      ({ letter, name, takes }) =>
        `  -${letter}, --${name}${{ nothing: '', value: ' VALUE', optional: ' [VALUE]' }[takes]}\n`,
    );
  return VERSION_TEXT + USAGE.replaceAll('PROGRAM', program) + rows.join('');
}
