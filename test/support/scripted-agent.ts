import { fromDist } from './paths.ts'
import type { Script } from './agents/perform.ts'

export type { Script, Step } from './agents/perform.ts'

/** Settings of an agent. A machine that is busy is no agent that is slow: where a test says no time for a decision, it is a long one. */
export function patient (settings: string): string {
  return /(?:^|[;\s])timeout "/.test(settings) ? settings : `timeout "60s"; ${settings}`
}

/** KDL of a managed agent that does what the `x-script` header of each request says. `settings` are more lines of the agent block. */
export function scriptedAgent (id: string, settings = ''): string {
  return `agent ${JSON.stringify(id)} { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'scripted.js'))}\n${patient(settings)} }`
}

/** A request header that tells the scripted agent what to do. */
export function scripted (script: Script): { readonly 'x-script': string } {
  return { 'x-script': JSON.stringify(script) }
}

/** A whole configuration: one listener, one route with these filters and settings, one upstream; `more` are further blocks. */
export function siteWith (upstreamPort: number, agents: string, filters: readonly string[], more = '', route = ''): string {
  return `
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; ${route}${filters.length > 0 ? `filters ${filters.map((name) => JSON.stringify(name)).join(' ')}; ` : ''}upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstreamPort}" } }
agents { ${agents} }
observability { metrics { address "127.0.0.1:0" } }
${more}`
}
