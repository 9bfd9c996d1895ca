import { clientKey } from '../pipeline/client-key.ts'
import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import { canonicalName } from '../pipeline/headers.ts'
import type { FailedLogins } from './failed-logins.ts'
import type { Passwords } from './passwords.ts'

export interface BasicAuthSettings {
  /** Without quotes. */
  readonly realm: string
  /** Name to hash. */
  readonly users: ReadonlyMap<string, string>
  readonly userHeader: string | undefined
  readonly forwardCredentials: boolean
}

/** Lets in who has a name and its password (RFC 7617). */
export function basicAuthFilter (settings: BasicAuthSettings, passwords: Passwords, failed: FailedLogins): Filter {
  const { realm, users, userHeader, forwardCredentials } = settings
  const alias = userHeader === undefined ? undefined : canonicalName(userHeader)
  const challenge = `Basic realm="${realm}", charset="UTF-8"`

  function enter (x: Exchange, user: string): undefined {
    const { headers } = x.request
    x.setAttribute('user', user)
    if (!forwardCredentials) headers.removeIf((name) => canonicalName(name) === 'authorization')
    if (userHeader === undefined) return undefined
    headers.removeIf((name) => canonicalName(name) === alias)
    headers.append(userHeader, Buffer.from(user).toString('latin1'))
    return undefined
  }

  function refuse (x: Exchange): Reply {
    x.fault = new Fault('AUTH_REQUIRED')
    const reply = faultAnswer(x, 'AUTH_REQUIRED')
    reply.headers.set('WWW-Authenticate', challenge)
    return reply
  }

  async function check (x: Exchange, user: string, client: string, answer: Promise<boolean>): Promise<Reply | undefined> {
    let right = false
    try {
      right = await answer
    } catch (error) {
      failed.giveBack(client)
      throw error
    }
    if (!right) return refuse(x)
    failed.giveBack(client)
    return enter(x, user)
  }

  return {
    name: 'basic-auth',
    onRequest (x) {
      const given = credentialsOf(x)
      if (given === undefined) return refuse(x)
      const client = clientKey(x.clientIp)
      if (passwords.remembers(given.user, given.password, users)) return enter(x, given.user)
      const waitMs = failed.take(client, performance.now())
      if (waitMs > 0) return tooMany(x, waitMs)
      return check(x, given.user, client, passwords.check(given.user, given.password, users))
    },
  }
}

function tooMany (x: Exchange, waitMs: number): Reply {
  x.fault = new Fault('RATE_LIMITED', 'wrong passwords')
  const reply = faultAnswer(x, 'RATE_LIMITED')
  reply.headers.set('Retry-After', String(Math.ceil(waitMs / 1000)))
  return reply
}

interface Credentials {
  readonly user: string
  readonly password: string
}

/** What several fields, or a control character, would make of it is up to each reader (RFC 7617 section 2): they are none. */
function credentialsOf ({ request: { headers } }: Exchange): Credentials | undefined {
  const [field, ...others] = headers.getAll('authorization')
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(field ?? '') ?? []
  if (encoded === undefined || others.length > 0) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 1 || control.test(text)) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

const control = /[^\x20-\x7e\x80-\ufffc\ufffe\uffff]/
