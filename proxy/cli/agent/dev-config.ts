import { kdlName, kdlString, kdlValue } from '../../../config/kdl/write.ts'

export interface DevConfig {
  readonly agent: string
  /** Socket of the process that decides now. */
  readonly socket: string
  readonly controlSocket: string
  readonly port: number
  readonly upstream: Target
  readonly settings: GivenSettings
  /** Nothing is given up for taking long: somebody looks at it in a debugger. */
  readonly patient: boolean
}

/** Content of the agent's `config` block, in KDL. */
export interface GivenSettings {
  /** That of a file. */
  readonly file: string
  /** What was given on the command line. */
  readonly single: string
}

/** Where requests go that the agent lets pass. */
export interface Target {
  readonly address: string
  /** Name to ask for, over TLS. */
  readonly tls: string | undefined
}

const forever = '24h'

/** What stands in front of the agent's settings in a configuration that `devConfig` made. */
const settingsBegin = '        config {\n'

/**
 * Where in the author's own words a line of such a configuration comes from: the line of the file with settings, "given" for the command line. `undefined`
 * for what neither says.
 */
export function originOf (config: string, line: number, { file, single }: GivenSettings): number | 'given' | undefined {
  const before = config.slice(0, config.indexOf(settingsBegin) + settingsBegin.length).split('\n').length - 1
  const ofFile = file === '' ? 0 : file.split('\n').length
  const at = line - before
  if (at < 1) return undefined
  if (at <= ofFile) return at
  return at <= ofFile + single.split('\n').length && single !== '' ? 'given' : undefined
}

/** The configuration of the throw-away proxy: everything is asked about, nothing is kept. */
export function devConfig ({ agent, socket, controlSocket, port, upstream, settings, patient }: DevConfig): string {
  const name = kdlString(agent)
  const waits = patient
    ? `        timeout "${forever}"\n        chunk-timeout "${forever}"\n        http2 { keep-alive-timeout "${forever}" }\n`
    : '        timeout "5s"\n        max-timeout "1m"\n'
  return `system { control-socket ${kdlString(controlSocket)} }
listeners { listener "dev" { address "127.0.0.1:${port}" } }
routes {
    route "dev" {
        matches { path-prefix "/" }
        upstream "app"
        filters ${name}
    }
}
upstreams {
    upstream "app" {
        target ${kdlString(upstream.address)}
${upstream.tls === undefined ? '' : `        tls { sni ${kdlString(upstream.tls)} }\n`}    }
}
agents {
    agent ${name} {
        unix-socket ${kdlString(socket)}
        managed #false
${waits}${settingsBegin}${settings.file === '' ? '' : `${settings.file}\n`}${settings.single}
        }
    }
}
observability { metrics { enabled #false } }
`
}

/** "http://127.0.0.1:3000" → where that is. A sentence when it is none of that kind. */
export function targetOf (text: string): Target | string {
  const wrong = `${JSON.stringify(text)} is no address of an application: write http://HOST:PORT or https://HOST`
  if (!URL.canParse(text)) return wrong
  const { protocol, hostname, port, pathname, search, username } = new URL(text)
  if ((protocol !== 'http:' && protocol !== 'https:') || pathname !== '/' || search !== '' || username !== '') return wrong
  const secure = protocol === 'https:'
  return { address: `${hostname}:${port === '' ? secure ? '443' : '80' : port}`, tls: secure ? hostname : undefined }
}

/** Settings by name: values as they stand in KDL, or those of a block. */
export type SettingTree = ReadonlyMap<string, string | SettingTree>

/** "country=FR", "limits.max=5" → settings in KDL, a line for each of the agent's. A sentence when one cannot be read. */
export function settingsOf (given: readonly string[]): string | { readonly kdl: string } {
  const tree = settingTree(given)
  if (typeof tree === 'string') return tree
  return { kdl: inKdl(tree).map((line) => `            ${line}`).join('\n') }
}

/** One line for each. */
export function inKdl (tree: SettingTree): string[] {
  return [...tree].map(([name, what]) => typeof what === 'string' ? `${kdlName(name)} ${what}` : `${kdlName(name)} { ${inKdl(what).join('; ')} }`)
}

/** "blocked=DE", "blocked=FR", "limits.max=5" → "DE" "FR" for `blocked`, and 5 for `max` in `limits`. A sentence when one cannot be read. */
export function settingTree (given: readonly string[]): SettingTree | string {
  type Growing = Map<string, string | Growing>
  const tree: Growing = new Map()
  for (const text of given) {
    const [, path = '', value = ''] = /^([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)=(.*)$/s.exec(text) ?? []
    if (path === '') return `${JSON.stringify(text)} is no setting: write NAME=VALUE`
    const names = path.split('.')
    const last = names.pop()!
    let block: Growing = tree
    for (const name of names) {
      const inner = block.get(name) ?? new Map<string, string | Growing>()
      if (typeof inner === 'string') return `${JSON.stringify(text)}: ${name} was given a value, and cannot be a block as well`
      block.set(name, inner)
      block = inner
    }
    const before = block.get(last)
    if (typeof before === 'object') return `${JSON.stringify(text)}: ${last} is a block, and cannot have a value as well`
    const word = kdlValue(valueOf(value), true)
    block.set(last, before === undefined ? word : `${before} ${word}`)
  }
  return tree
}

/** As somebody would write it in KDL: numbers and truth values are such, anything else is text. */
function valueOf (text: string): string | number | boolean {
  if (text === 'true' || text === '#true') return true
  if (text === 'false' || text === '#false') return false
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) ? Number(text) : text
}
