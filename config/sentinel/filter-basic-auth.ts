import { readFileSync } from 'node:fs'
import { map, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { anyText, bool, existingFile, integer, textLike } from '../schema/values.ts'
import { attempt } from './certificate-pair.ts'
import { readByAnyone } from './certificate-files.ts'
import { belongsToProxy } from './header-edits.ts'
import { hashProblem, readPasswords } from './password-file.ts'
import { token } from './types.ts'

const realm = textLike('a text without quotes', /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/, '"Office"')

export const basicAuthFilter = {
  usersFile: optional(existingFile, 'File of `name:hash` lines, as htpasswd -B writes it. Read anew at each reload.', { aliases: ['htpasswd', 'htpasswd-file', 'user-file'] }),
  users: map(anyText, 'Names and hashes (bcrypt or apr1): `alice "${file:/run/secrets/alice}"`.', { secret: true }),
  realm: setting(realm, 'Restricted', 'What browsers call the place when they ask for a password.'),
  userHeader: optional(token, 'Header field in which the upstream gets the name. What clients send under it, or under a name that looks alike, is removed, on every route.', { aliases: ['header-field'] }),
  forwardCredentials: setting(bool, false, 'Whether the upstream gets the password as well.'),
  maxFailures: setting(integer(1, 1_000_000), 10, 'Wrong passwords of one client in `failure-window`; then it gets 429. Workers have a part of it each.'),
  failureWindow: setting(durationWithin('1s', '1d'), '1m', 'Time in which they count.'),
}

interface BasicAuth {
  readonly usersFile: string | undefined
  readonly users: Readonly<Record<string, string>>
  readonly userHeader: string | undefined
}

export function checkBasicAuth ({ usersFile, users, userHeader }: BasicAuth, here: Here<typeof basicAuthFilter>): void {
  const { report, scope } = here
  const written = here.nodes('users').flatMap(({ children = [], props }) => [...children, ...props])
  if (here.clean && !here.given('usersFile') && written.length === 0) {
    report.error('CONFIG_MISSING', `${scope} has no users: nobody could come in`, here.at, 'write users-file "/etc/sentinel/users", made by htpasswd -B -c')
  }
  if (userHeader !== undefined && belongsToProxy(userHeader)) report.error('CONFIG_CONTRADICTION', `${scope} writes ${userHeader}, which the proxy writes itself`, here.where('userHeader'))
  const placeOf = (name: string): ReturnType<typeof here.where> => written.find(child => child.name === name)?.at ?? here.where('users')
  for (const [name, hash] of Object.entries(users)) {
    const why = name.includes(':') ? 'a name has no ":" in it' : hashProblem(hash.trimEnd())
    if (why !== undefined) report.error('CONFIG_TYPE', `user '${name.slice(0, 60)}' of ${scope} cannot sign in: ${why}`, placeOf(name))
  }
  if (usersFile !== undefined && !here.textOnly) checkFile(usersFile, users, here)
}

function checkFile (file: string, beside: Readonly<Record<string, string>>, here: Here<typeof basicAuthFilter>): void {
  const { report, scope } = here
  const read = attempt(() => readFileSync(file, 'utf8'))
  const { users, problems } = readPasswords(read ?? '')
  const where = here.where('usersFile')
  if (read === undefined) report.error('CONFIG_FILE', `'users-file' of ${scope} cannot be read`, where)
  else if (users.size === 0 && problems.length === 0) report.error('CONFIG_FILE', `'users-file' of ${scope} has no users: nobody could come in`, where)
  for (const { line, why } of problems.slice(0, 10)) report.error('CONFIG_FILE', `line ${line} of 'users-file' of ${scope} cannot be used: ${why}`, where)
  const twice = [...users.keys()].find(name => Object.hasOwn(beside, name))
  if (twice !== undefined) report.error('CONFIG_REPEATED', `user '${twice.slice(0, 60)}' of ${scope} is given twice: in 'users' and in the file`, where)
  if (readByAnyone(file)) report.warning('CONFIG_FILE', `every user of this machine may read 'users-file' of ${scope}`, where, 'write chmod o-r on it')
}
