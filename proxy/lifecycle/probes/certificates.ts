import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { everyMember, givenValue, valueText, type Effective, type EffectiveBlock, type EffectiveSetting } from '../../../config/schema/index.ts'
import { lookIntoFolder, skipReasons } from '../../../config/sentinel/index.ts'
import { probeAll, type Finding } from './probe.ts'

/** Names of settings that hold the path of a certificate, with the setting beside it that holds its key. */
const keysOf: Readonly<Record<string, string>> = { 'cert-file': 'key-file', cert: 'key', 'client-cert': 'client-key', 'client-cert-file': 'client-key-file' }

/** Settings that hold the path of a bundle of authorities. */
const authorities = /^(?:.*-)?ca(?:-cert|-file|-bundle)?$/

/** The setting that holds the path of a folder of certificates. */
const folderSetting = 'cert-folder'

const soonDays = 30
const maxBytes = 4 * 1024 * 1024

interface Named {
  readonly block: EffectiveBlock
  readonly setting: EffectiveSetting
  readonly key: EffectiveSetting | undefined
}

/** Looks at every certificate that the configuration names, whether or not the block around it is in effect already. */
export function probeCertificates (tree: readonly Effective[], now: Date): Promise<Finding[]> {
  const named = [...everyMember(tree)].flatMap((block): Named[] => block.kind !== 'block' ? [] : block.members.flatMap((setting): Named[] => {
    if (setting.kind !== 'setting' || setting.at === undefined) return []
    const keyName = Object.hasOwn(keysOf, setting.name) ? keysOf[setting.name] : undefined
    if (keyName === undefined && setting.name !== folderSetting && !authorities.test(setting.name)) return []
    const key = block.members.find((member): member is EffectiveSetting => member.kind === 'setting' && member.name === keyName)
    return [{ block, setting, key }]
  }))
  return probeAll(named, async (one) => {
    const [value] = one.setting.values
    const what = `${one.setting.name} ${value === undefined ? '' : valueText(value)} of ${nameOf(one.block)}`
    const results = one.setting.name === folderSetting ? await lookInto(fileOf(one.setting), now) : await lookAt(one, now)
    return results.map((result) => ({ probe: 'certs' as const, at: one.setting.at, what, ...result }))
  })
}

function nameOf (block: EffectiveBlock): string {
  return block.path.replace(/^[^.]+s\.([^.]+)\.(.+)$/, (_, id: string, rest: string) => `${rest} of '${id}'`)
}

type Result = Pick<Finding, 'level' | 'message' | 'hint'>

async function lookAt ({ setting, key }: Named, now: Date): Promise<Result[]> {
  const read = await contentOf(setting)
  if ('level' in read) return [read]
  const chain = certificatesIn(read.text)
  const [own] = chain
  if (own === undefined) return [{ level: 'error', message: 'it holds no certificate in PEM form', hint: 'it begins with -----BEGIN CERTIFICATE-----' }]
  const isAuthority = !Object.hasOwn(keysOf, setting.name)
  const ofServer = isAuthority ? [] : [...chainProblems(chain), ...key === undefined ? [] : await keyProblems(own, key)]
  const wrong = [...ofServer, ...dates(chain, now, isAuthority)]
  return wrong.some(({ level }) => level === 'error') ? wrong : [{ level: 'ok', message: summary(chain, isAuthority) }, ...wrong]
}

/** Each certificate of a folder that something is wrong with, and a word about all of them. */
async function lookInto (folder: string, now: Date): Promise<Result[]> {
  const { found, skipped } = lookIntoFolder(folder)
  const left = skipped.map(({ file, reason }): Result => ({ level: 'warning', message: `${JSON.stringify(file)} is left out: ${skipReasons[reason]}` }))
  const wrong: Result[] = []
  let first: string | undefined
  for (const { file } of found) {
    const chain = certificatesIn(await readFile(join(folder, file), 'latin1').catch(() => ''))
    for (const result of [...chainProblems(chain), ...dates(chain, now, false)]) wrong.push({ ...result, message: `${JSON.stringify(file)}: ${result.message}` })
    const [own] = chain
    if (own !== undefined && (first === undefined || time(own.validTo) < time(first))) first = own.validTo
  }
  const all: Result = { level: 'ok', message: `${found.length === 1 ? '1 certificate' : `${found.length} certificates`}${first === undefined ? '' : `, good until ${day(first)}`}` }
  const told = [...left, ...wrong].slice(0, mostOfFolder)
  return told.some(({ level }) => level === 'error') ? told : [all, ...told]
}

/** Of a folder with thousands of certificates nobody reads more. */
const mostOfFolder = 50

async function contentOf (setting: EffectiveSetting): Promise<{ readonly text: string } | Result> {
  const file = fileOf(setting)
  try {
    const facts = await stat(file)
    if (!facts.isFile()) return { level: 'error', message: `${setting.name} is not a file` }
    if (facts.size > maxBytes) return { level: 'error', message: `${setting.name} is larger than any certificate` }
    return { text: await readFile(file, 'latin1') }
  } catch (error) {
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { level: 'error', message: `${setting.name}: there is no such file`, hint: 'relative paths start at the folder of the configuration' }
    return { level: 'error', message: `${setting.name} cannot be read (${code ?? 'unknown reason'})`, hint: 'look at the owner and the mode of the file' }
  }
}

function fileOf (setting: EffectiveSetting): string {
  const [value] = setting.values
  return value === undefined ? '' : resolve(dirname(resolve(value.at?.file ?? '')), String(givenValue(value)))
}

function certificatesIn (text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g) ?? []
  return blocks.flatMap((block) => attempt(() => new X509Certificate(block)) ?? [])
}

function summary (chain: readonly X509Certificate[], isAuthority: boolean): string {
  const [own] = chain
  if (own === undefined) return ''
  const until = `good until ${day(chain.reduce((first, one) => time(one.validTo) < time(first.validTo) ? one : first, own).validTo)}`
  if (isAuthority) return `${chain.length === 1 ? '1 authority' : `${chain.length} authorities`}, ${until}`
  const hosts = own.subjectAltName === undefined ? '' : ` for ${own.subjectAltName.replaceAll(/(?:DNS|IP Address|URI|email):/g, '')}`
  const length = chain.length === 1 ? '' : `, chain of ${chain.length}`
  return `certificate${hosts}${length}, ${until}`
}

function chainProblems (chain: readonly X509Certificate[]): Result[] {
  const wrong: Result[] = []
  chain.slice(0, -1).forEach((one, index) => {
    const issuer = chain[index + 1]
    if (issuer === undefined || (one.checkIssued(issuer) && one.verify(issuer.publicKey))) return
    wrong.push({ level: 'error', message: `the chain is broken: certificate ${index + 2} in the file did not issue certificate ${index + 1}`, hint: 'the server\'s own comes first, then the one that issued it, and so on' })
  })
  const [own] = chain
  if (own?.subjectAltName === undefined) wrong.push({ level: 'warning', message: 'it names no host (no subjectAltName)', hint: 'clients of today refuse such a certificate' })
  const selfIssued = own !== undefined && own.checkIssued(own)
  if (chain.length === 1 && own !== undefined && !selfIssued) {
    wrong.push({ level: 'warning', message: 'it stands alone: the certificate that issued it is not in the file', hint: 'put the whole chain into the file; clients may not know what is in between' })
  }
  return wrong
}

/** One authority of many may be old; none of a server's own chain. */
function dates (chain: readonly X509Certificate[], now: Date, isAuthority: boolean): Result[] {
  const expired = chain.filter(({ validTo }) => time(validTo) < now.getTime())
  const level = isAuthority && expired.length < chain.length ? 'warning' : 'error'
  const wrong = expired.map((one): Result => ({ level, message: `${subjectOf(one)} expired on ${day(one.validTo)}`, hint: 'renew it' }))
  for (const one of chain) {
    if (time(one.validFrom) > now.getTime()) wrong.push({ level: 'error', message: `${subjectOf(one)} is not valid before ${day(one.validFrom)}`, hint: 'look at the clock of this machine' })
    const days = Math.floor((time(one.validTo) - now.getTime()) / 86_400_000)
    if (days >= 0 && days < soonDays) wrong.push({ level: 'warning', message: `${subjectOf(one)} expires in ${days === 1 ? '1 day' : `${days} days`}, on ${day(one.validTo)}`, hint: 'renew it soon' })
  }
  return wrong
}

async function keyProblems (own: X509Certificate, setting: EffectiveSetting): Promise<Result[]> {
  const read = await contentOf(setting)
  if ('level' in read) return [read]
  const key: KeyObject | undefined = attempt(() => createPrivateKey(read.text))
  if (key === undefined) return [{ level: 'error', message: `${setting.name} holds no private key in PEM form`, hint: 'keys with a passphrase are not supported' }]
  if (!own.checkPrivateKey(key)) return [{ level: 'error', message: `the key of ${setting.name} does not belong to the certificate`, hint: 'name the key that the certificate was asked for with' }]
  const { mode } = await stat(fileOf(setting))
  return (mode & 0o004) === 0 ? [] : [{ level: 'warning', message: 'every user of this machine may read the key', hint: `write chmod o-r on the file of ${setting.name}` }]
}

function subjectOf (certificate: X509Certificate): string {
  const [, name] = /(?:^|\n)CN=([^\n]{1,200})/.exec(certificate.subject) ?? []
  return name === undefined ? 'it' : `the certificate of ${JSON.stringify(name)}`
}

function time (date: string): number {
  return new Date(date).getTime()
}

function day (date: string): string {
  return new Date(date).toISOString().slice(0, 10)
}

function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
