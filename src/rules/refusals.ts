/**
 * How ipvsadm words what the kernel refuses.
 *
 * @module
 */
import { type ErrorCode, IpvsError } from '../errors.js';
import type { CarryName } from '../types.js';
import { CARRY_OPTIONS } from './save.js';

/** Its texts. */
export const REFUSALS = {
  serviceExists: 'Service already exists',
  noService: 'No such service',
  serviceNotDefined: 'Service not defined',
  destExists: 'Destination already exists',
  noDest: 'No such destination',
  noScheduler: 'Scheduler or persistence engine not found',
  outOfRange: 'Numerical result out of range',
  noMemory: 'Memory allocation problem',
  invalid: 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  noDaemon: 'No daemon is running',
} as const;

const BY_CODE: Partial<Record<ErrorCode, string>> = {
  SERVICE_EXISTS: REFUSALS.serviceExists,
  DEST_EXISTS: REFUSALS.destExists,
  NO_SUCH_DEST: REFUSALS.noDest,
  TABLE_FULL: REFUSALS.noMemory,
};

const CARRIERS = new RegExp(Object.keys(CARRY_OPTIONS).join('|'), 'g');

/** What the director says about a property of a service, in the words of those who write rules. */
export function inOptions(message: string): string {
  return message
    .replace(/^service\.localAddresses(\[\d+\])?: /, 'local address (--laddr, local_address_group): ')
    .replace(/^service\.synproxy: /, '--synproxy: ')
    .replace(/^service\.carry: .*/, (text) =>
      text.slice('service.carry: '.length).replace(CARRIERS, (name) => CARRY_OPTIONS[name as CarryName]),
    );
}

/** What ipvsadm knows nothing of is said in the director's own words. */
const OWN: readonly ErrorCode[] = ['LOCAL_ADDRESS_EXISTS', 'NO_SUCH_LOCAL_ADDRESS'];

/** A refusal in those words; `undefined` for an error that is none. */
export function refusalText(error: unknown, isAboutServer: boolean): string | undefined {
  if (error instanceof RangeError) return REFUSALS.invalid;
  if (!(error instanceof IpvsError)) return undefined;
  if (error.code === 'NO_SUCH_SERVICE') return isAboutServer ? REFUSALS.serviceNotDefined : REFUSALS.noService;
  return OWN.includes(error.code) ? error.message : BY_CODE[error.code];
}
