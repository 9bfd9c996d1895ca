import { kdlName, kdlString, kdlValue } from '../../../config/kdl/write.ts'

export interface DevConfig {
  readonly agent: string
  /** Socket of the process that decides now. */
  readonly socket: string
  readonly controlSocket: string
  readonly port: number
  readonly upstream: Target
  /** Content of the agent's `config` block, in KDL. */
  readonly settings: string
  /** Nothing is given up for taking long: somebody looks at it in a debugger. */
  readonly patient: boolean
}

/** Where requests go that the agent lets pass. */
export interface Target {
  readonly address: string
  /** Name to ask for, over TLS. */
  readonly tls: string | undefined
}

const forever = '24h'

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
${waits}        config {
${settings}
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

/** "country=FR", "limits.max=5" → settings in KDL, those of a block together. A sentence when one cannot be read. */
export function settingsOf (given: readonly string[]): string | { readonly kdl: string } {
  const lines: string[] = []
  for (const text of given) {
    const [, path = '', value = ''] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? []
    if (path === '') return `${JSON.stringify(text)} is no setting: write NAME=VALUE`
    const names = path.split('.').map(kdlName)
    const last = names.pop()!
    lines.push(`            ${names.map((name) => `${name} { `).join('')}${last} ${kdlValue(valueOf(value), true)}${names.map(() => ' }').join('')}`)
  }
  return { kdl: lines.join('\n') }
}

/** "blocked=DE", "blocked=FR" → "DE" "FR" for `blocked`, as it stands in KDL. A sentence when one cannot be read. */
export function settingValues (given: readonly string[]): ReadonlyMap<string, string> | string {
  const values = new Map<string, string>()
  for (const text of given) {
    const [, name = '', value = ''] = /^([A-Za-z_][\w-]*)=(.*)$/s.exec(text) ?? []
    if (name === '') return `${JSON.stringify(text)} is no setting: write NAME=VALUE`
    const word = kdlValue(valueOf(value), true)
    values.set(name, values.has(name) ? `${values.get(name)} ${word}` : word)
  }
  return values
}

/** As somebody would write it in KDL: numbers and truth values are such, anything else is text. */
function valueOf (text: string): string | number | boolean {
  if (text === 'true' || text === '#true') return true
  if (text === 'false' || text === '#false') return false
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(text) ? Number(text) : text
}
