/** What a thread of its own does: one password after another, each of which may take a tenth of a second. */
import { timingSafeEqual } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import apacheMd5Module from 'apache-md5'
import { compareSync } from 'bcryptjs'

export interface PasswordQuestion {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface PasswordVerdict {
  readonly id: number
  readonly right: boolean
}

/** Its types speak of a default export of a module; it is a function. */
const apacheMd5 = apacheMd5Module as unknown as (password: string, salt: string) => string

parentPort?.on('message', ({ id, password, hash }: PasswordQuestion) => {
  const verdict: PasswordVerdict = { id, right: isRight(password, hash) }
  parentPort!.postMessage(verdict)
})

function isRight (password: string, hash: string): boolean {
  if (!hash.startsWith('$apr1$')) return compareSync(password, hash)
  const made = Buffer.from(apacheMd5(password, hash))
  const known = Buffer.from(hash)
  return made.length === known.length && timingSafeEqual(made, known)
}
