import { chownSync, closeSync, constants, fchownSync, fstatSync, openSync, readFileSync } from 'node:fs'

/** Whom to become. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** "" when nobody knows. */
  readonly home: string
}

/** Why it cannot be; a sentence for the operator. */
export class AccountError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'AccountError'
  }
}

/** Looks both up in the system's own files. Throws an `AccountError` when one is not there, or when this process may not become it. */
export function accountFor (user: string, group: string | undefined): Account {
  const known = entryOf('/etc/passwd', user)
  const byNumber = /^\d{1,10}$/.test(user)
  if (known === undefined && !byNumber) throw new AccountError(`there is no user '${user}' in /etc/passwd`)
  const uid = Number(known?.[2] ?? user)
  const gid = group === undefined ? known?.[3] : entryOf('/etc/group', group)?.[2] ?? (/^\d{1,10}$/.test(group) ? group : undefined)
  if (gid === undefined) throw new AccountError(group === undefined ? `user ${user} is not in /etc/passwd: system { group } has to say its group` : `there is no group '${group}' in /etc/group`)
  const account = { name: known?.[0] ?? user, uid, gid: Number(gid), home: known?.[5] ?? '' }
  if (process.getuid!() !== 0 && !isAlready(account)) {
    throw new AccountError(`system { user "${user}" } needs the program to be started as root: it was started by user ${process.getuid!()}`)
  }
  return account
}

/** Becomes the account for good, says so in the environment, and makes sure that there is no way back. Throws an `AccountError`; the process must not go on then. */
export function become ({ name, uid, gid, home }: Account, env: Record<string, string | undefined>): void {
  if (process.getuid!() !== 0) return // Checked before: it is this account already.
  const isKnown = entryOf('/etc/passwd', name) !== undefined
  if (isKnown) initgroups(name, gid)
  else process.setgroups!([gid])
  process.setgid!(gid)
  process.setuid!(uid)
  if (uid !== 0 && (mayBecomeRoot() || process.getuid!() !== uid || process.geteuid!() !== uid || process.getgid!() !== gid || process.getegid!() !== gid)) {
    throw new AccountError(`this process could not leave the rights of root behind for '${name}'`)
  }
  if (home !== '') env['HOME'] = home
  env['USER'] = env['LOGNAME'] = name
}

/** Gives a file to an account that has to append to it, making it when it is not there. Only what is root's is given away, and no link is followed. */
export function giveFile (path: string, { uid, gid }: Account): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o640)
  try {
    const facts = fstatSync(fd)
    if (facts.isFile() && facts.uid === 0) fchownSync(fd, uid, gid)
  } finally {
    closeSync(fd)
  }
}

/** Gives a socket or a folder that this process has just made. */
export function giveOwn (path: string, { uid, gid }: Account): void {
  chownSync(path, uid, gid)
}

/** The types of Node.js forgot it. */
function initgroups (user: string, group: number): void {
  (process as unknown as { initgroups (user: string, group: number): void }).initgroups(user, group)
}

function isAlready ({ uid, gid }: Account): boolean {
  return process.getuid!() === uid && process.getgid!() === gid
}

function mayBecomeRoot (): boolean {
  for (const back of [() => process.setuid!(0), () => process.seteuid!(0)]) {
    try {
      back()
      return true
    } catch {
      // As it should be.
    }
  }
  return false
}

/** The fields of the line of that name or number. */
function entryOf (file: string, name: string): string[] | undefined {
  const entries = readFileSync(file, 'utf8').split('\n').map((line) => line.split(':'))
  return entries.find(([first]) => first === name) ?? entries.find(([, , number]) => number === name)
}
