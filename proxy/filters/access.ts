import { ipMatcher, type IpRange } from '../../config/schema/address.ts'
import type { Filter } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'

export interface AddressRules {
  /** What happens to those that no list names. */
  readonly defaultAction: 'allow' | 'block'
  readonly allow: readonly IpRange[]
  readonly block: readonly IpRange[]
}

/** Who may come in, by address. Who is in both lists stays out; a client without an address (a Unix socket) is as anybody that no list names. */
export function addressFilter ({ defaultAction, allow, block }: AddressRules): Filter {
  const isAllowed = ipMatcher(allow)
  const isBlocked = ipMatcher(block)
  const others = defaultAction === 'allow'
  return {
    name: 'ip-access-control',
    onRequest ({ clientIp }) {
      if (isBlocked(clientIp) || !isAllowed(clientIp) && !others) throw new Fault('ADDRESS_REFUSED', clientIp)
      return undefined
    },
  }
}

/** Fields that a request must have, with something in them. */
export function requireHeadersFilter (names: readonly string[]): Filter {
  const wanted = names.map((name) => ({ name, lower: name.toLowerCase() }))
  return {
    name: 'require-headers',
    onRequest ({ request: { headers } }) {
      for (const { name, lower } of wanted) if ((headers.get(lower) ?? '') === '') throw new Fault('HEADER_MISSING', name)
      return undefined
    },
  }
}
